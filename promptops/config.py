"""`promptops.yaml`: where prompts are, which environments exist, who answers, and what a run may cost.

The file is optional; without it the defaults below hold. Keys of providers are only ever named here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from promptops.addresses import header_problem, url_problem
from promptops.documents import read_model
from promptops.errors import KINDS, did_you_mean
from promptops.keys import is_secret_name, literal_keys
from promptops.prompts.written import Fraction, Written

FILE_NAME = "promptops.yaml"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(value: Any) -> Any:
    """Read `7d`, `12h`, `90s` as seconds; numbers stay seconds."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", value)):
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0)]


def _variable(name: str) -> str:
    if literal_keys(name) or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        raise ValueError("expected the name of an environment variable (not shown: it may be a key)")
    return name


def _address(url: str) -> str:
    if (problem := url_problem(url)) is not None:
        raise ValueError(problem)
    return url


class KeyName(Written):
    """The name of the environment variable that holds a key; never the key."""

    env: Annotated[str, AfterValidator(_variable)]


class Price(Written):
    """US dollars for a million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Timeouts(Written):
    """Seconds of one attempt: to connect; in a stream to the first token, and from one to the next."""

    connect: Duration = 10.0
    first_token: Duration | None = None
    idle: Duration | None = None


HTTP_KINDS = ("openai", "anthropic", "gemini")
_HTTP_ONLY = ("base_url", "api", "api_key", "headers", "ca_file", "timeouts")


class ProviderSpec(Written):
    """One entry of `providers`; which keys apply depends on its kind.

    `headers` are sent with every call; one that carries a key names its variable. `ca_file` holds certificates
    in PEM that are trusted besides the usual ones, beside this file unless the path is absolute.
    """

    kind: Literal["openai", "anthropic", "gemini", "local", "python", "command"]
    base_url: Annotated[str, AfterValidator(_address)] | None = None
    api: Literal["chat", "responses"] | None = None
    api_key: KeyName | None = None
    headers: dict[str, str | KeyName] = {}
    ca_file: str | None = Field(default=None, min_length=1)
    stream: bool = False
    timeouts: Timeouts | None = None
    model: str | None = None
    target: str | None = Field(default=None, pattern=r"^[\w.]+:[\w.]+$")
    command: list[str] | None = Field(default=None, min_length=1)
    prices: dict[str, Price] = {}
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str | KeyName]) -> dict[str, str | KeyName]:
        for name, value in headers.items():
            text = value if isinstance(value, str) else ""
            if (problem := header_problem(name, text)) is not None:
                raise ValueError(problem)
            if text and (is_secret_name(name) or literal_keys(text)):
                raise ValueError(f"{name} carries a key: name its variable, {name}: {{env: VARIABLE}}")
        return headers

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed = {"python": ("target", self.target), "command": ("command", self.command)}.get(self.kind)
        if needed and needed[1] is None:
            raise ValueError(f"a {self.kind} provider needs {needed[0]}")
        if self.kind not in HTTP_KINDS and (extra := [name for name in _HTTP_ONLY if getattr(self, name)]):
            raise ValueError(f"a provider of kind {self.kind} has no {extra[0]}")
        if self.api and self.kind != "openai":
            raise ValueError(f"a provider of kind {self.kind} has no api")
        return self


def _model(text: str) -> str:
    if not all(text.partition("/")):
        raise ValueError(f"expected PROVIDER/MODEL, like openai/gpt-4o-mini, got {text[:80]!r}")
    return text


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"no kind of failure is called {text[:80]!r}{did_you_mean(text, KINDS)}")
    return text


class RouteSpec(Written):
    """Who is asked in turn; the next one after failures of the kinds in `on` (`timeout`, or `timeout.idle` only)."""

    order: list[Annotated[str, AfterValidator(_model)]] = Field(min_length=1)
    on: list[Annotated[str, AfterValidator(_kind)]] = ["overloaded", "timeout", "unreachable"]

    @field_validator("order")
    @classmethod
    def _each_once(cls, order: list[str]) -> list[str]:
        if twice := sorted({one for one in order if order.count(one) > 1}):
            raise ValueError(f"{twice[0]} stands twice")
        return order


class Limits(Written):
    """What a run may use: calls at once, seconds and attempts a call, seconds that a provider may be down, dollars.

    `scoring` is in seconds that one scorer may take for one answer.
    """

    concurrency: int = Field(default=16, ge=1, le=1024)
    deadline: Duration = 60.0
    attempts: int = Field(default=4, ge=1, le=20)
    outage: Duration = 62.0
    scoring: Duration = 10.0
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    cache_max_age: Duration = 7 * 86400.0
    models: list[str] | None = None


class Defaults(Written):
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    max_drop: Fraction = Field(default=0.05, gt=0, lt=1)


class Config(Written):
    """Everything of `promptops.yaml`; `environments` are in order of promotion.

    `require_signed` names, for an environment, the file of those whose signature a release to it needs (in the
    format of ssh-keygen's ALLOWED SIGNERS), from the top of the repository. `looked_into` are commits that `verify`
    finds fault with and people have looked into, with what they say of them.
    """

    promptops: Literal[1] = 1
    prompts: list[str] = Field(default=["prompts"], min_length=1)
    environments: list[str] = Field(default=["production"], min_length=1)
    release_branch: str | None = None
    providers: dict[str, ProviderSpec] = {}
    routes: dict[str, RouteSpec] = {}
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    require_signed: dict[str, Annotated[str, Field(min_length=1)]] = {}
    looked_into: dict[
        Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")], Annotated[str, Field(pattern=r"\S")]
    ] = {}

    @field_validator("providers")
    @classmethod
    def _have_an_address(cls, providers: dict[str, ProviderSpec]) -> dict[str, ProviderSpec]:
        for name, spec in providers.items():
            # Many servers speak as OpenAI does; which one is meant is not to be guessed.
            if spec.kind == "openai" and name != "openai" and spec.base_url is None:
                raise ValueError(f"the provider {name} of kind openai needs base_url")
        return providers

    @model_validator(mode="after")
    def _names_can_be_told_apart(self) -> Self:
        for name in self.environments:
            if (
                not re.fullmatch(r"[a-z][a-z0-9-]*", name)
                or re.fullmatch(r"v\d+", name)
                or name == "worktree"
            ):
                raise ValueError(f"environments: {name!r} is not a name for an environment")
        if len(set(self.environments)) != len(self.environments):
            raise ValueError("environments: a name stands twice")
        if unknown := sorted(self.require_signed.keys() - set(self.environments)):
            raise ValueError(f"require_signed: {unknown[0]!r} is no environment")
        for name, path in self.require_signed.items():
            if path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"require_signed.{name}: {path!r} leads out of the repository")
        for root in self.prompts:
            if root.startswith("/") or ".." in root.split("/"):
                raise ValueError(f"prompts: {root!r} leads out of the repository")
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        known = {**built_in(), **self.providers}
        for name, route in self.routes.items():
            if name in known:
                raise ValueError(f"routes: {name} is the name of a provider")
            for provider in [one.partition("/")[0] for one in route.order]:
                if provider not in known:
                    raise ValueError(
                        f"routes.{name}: no provider called {provider!r}{did_you_mean(provider, known)}"
                    )
        return self

    @property
    def live(self) -> str:
        """The environment that candidates are compared with: the last one."""
        return self.environments[-1]


def built_in() -> Mapping[str, ProviderSpec]:
    """Return the providers that need no entry, by name."""
    return {
        "openai": ProviderSpec(kind="openai"),
        "anthropic": ProviderSpec(kind="anthropic"),
        "gemini": ProviderSpec(kind="gemini"),
        "local": ProviderSpec(kind="local"),
    }


def parse_config(text: str, *, path: str) -> Config:
    """Read a configuration file.

    Raises:
        InvalidFile: with every problem's file, line and column.
    """
    return read_model(text, Config, path=path)
