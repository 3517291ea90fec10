"""Who answers: from a prompt's `PROVIDER/MODEL` to a paced provider, opened for one run and closed with it."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from promptops.config import HTTP_KINDS, Config, Price, ProviderSpec, built_in
from promptops.documents import compose
from promptops.errors import ConfigError, InvalidFile, NotFound, Refused
from promptops.evaluation.apis import api_kind, api_url, check_asked, open_api
from promptops.messages import Completion, Request, Usage
from promptops.ports import Provider
from promptops.prompts.model import Prompt
from promptops.prompts.render import render_sample, split_model
from promptops.providers import local
from promptops.providers.command import open_command
from promptops.providers.local import DEFAULT_MODEL
from promptops.providers.python import Python, load_target
from promptops.runs.budget import Budget
from promptops.runs.pacing import Paced
from promptops.runs.replay import Arm
from promptops.runs.retrying import Tools
from promptops.samples import Sample
from promptops.workspace import Workspace

MILLION = 1_000_000
MOST_LOCAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A provider that is open; `kind` and `place` are what an answer is cached under."""

    paced: Paced
    kind: str
    place: str


def provider_spec(config: Config, model: str) -> tuple[str, ProviderSpec]:
    """Return the name and the entry of the provider that a model string names.

    Raises:
        NotFound: no such provider.
        ConfigError: the model is not on the allow-list.
    """
    name, _ = split_model(model)
    allowed = config.limits.models
    if allowed is not None and not any(fnmatch.fnmatchcase(model, pattern) for pattern in allowed):
        raise ConfigError(f"model {model!r} is not allowed: limits.models has {', '.join(allowed)}")
    if name in config.routes:
        raise ConfigError(f"model {model!r}: routes are not available yet; name one provider")
    known = {**built_in(), **config.providers}
    if name in known:
        return name, known[name]
    raise NotFound("provider", name, known, hint="add it under providers: in promptops.yaml")


def check_provider(config: Config, prompt: Prompt) -> None:
    """Refuse a prompt whose model nobody answers for, or not as it is asked, where the model is written.

    Raises:
        InvalidFile: no such provider, the model is not on the allow-list, or its API cannot be asked so.
    """
    try:
        _, spec = provider_spec(config, prompt.spec.model)
        if spec.kind in HTTP_KINDS:
            check_asked(spec, prompt.spec)
    except (NotFound, ConfigError, Refused) as error:
        document = compose(prompt.source, path=prompt.path)
        raise InvalidFile([document.problem(("model",), str(error))]) from error


@asynccontextmanager
async def open_endpoints(
    workspace: Workspace,
    models: list[str],
    *,
    budget: Budget | None,
    recorded: bool,
    say: Callable[[str], None],
    tools: Tools | None = None,
) -> AsyncIterator[Mapping[str, Endpoint]]:
    """Open the provider of every model, each once, by its name.

    With `recorded` nothing is opened and no key is read: only the places are there, for the cache. `tools` are
    the clock, the sleep and the randomness of pauses.

    Raises:
        ConfigError: a key's variable is missing, a runtime is not installed.
    """
    limits, pace = workspace.config.limits, tools or Tools()
    endpoints: dict[str, Endpoint] = {}
    async with AsyncExitStack() as stack:
        for model in models:
            name, spec = provider_spec(workspace.config, model)
            if name in endpoints:
                continue
            place = _place(spec, workspace)
            provider = (
                _Nobody() if recorded else await stack.enter_async_context(_open(name, spec, workspace, say))
            )
            paced = Paced(
                provider,
                name=name,
                deadline=limits.deadline,
                attempts=limits.attempts,
                at_once=_at_once(spec, workspace),
                price=_pricer(spec.prices),
                budget=budget,
                clock=pace.clock,
                sleep=pace.sleep,
                random=pace.random,
            )
            endpoints[name] = Endpoint(paced=paced, kind=api_kind(spec), place=place)
        yield endpoints


def arm(prompt: Prompt, endpoints: Mapping[str, Endpoint]) -> Arm:
    """Return how one version is asked: its own rendering, at the provider of its own model."""
    endpoint = endpoints[split_model(prompt.spec.model)[0]]

    def render(sample: Sample) -> Request:
        return render_sample(prompt, sample)

    return Arm(render=render, asks=endpoint.paced, kind=endpoint.kind, base_url=endpoint.place)


class _Nobody:
    """Stands for a provider that must not be asked."""

    async def complete(self, request: Request) -> Completion:
        raise AssertionError("asked although only recorded answers are wanted")


@asynccontextmanager
async def _open(
    name: str, spec: ProviderSpec, workspace: Workspace, say: Callable[[str], None]
) -> AsyncIterator[Provider]:
    at_once = _at_once(spec, workspace)
    match spec.kind:
        case "openai" | "anthropic" | "gemini":
            async with open_api(spec, workspace, at_once=at_once) as asker:
                yield asker
        case "local":
            async with local.open_local(
                say=say, model=spec.model or DEFAULT_MODEL, at_once=at_once
            ) as served:
                yield served
        case "python":
            yield Python(load_target(spec.target or "", root=workspace.folder), name=name)
        case "command":
            async with open_command(
                spec.command or [], cwd=workspace.folder, environ=workspace.environ, processes=at_once
            ) as command:
                yield command


def _at_once(spec: ProviderSpec, workspace: Workspace) -> int:
    """A local model has a few servers of one thread: more calls at once would only wait in its queue."""
    limit = workspace.config.limits.concurrency
    return min(limit, MOST_LOCAL) if spec.kind == "local" else limit


def _place(spec: ProviderSpec, workspace: Workspace) -> str:
    """What tells this endpoint from another in the cache; a local model is its weights, not its port."""
    match spec.kind:
        case "openai" | "anthropic" | "gemini":
            return api_url(spec, workspace.environ)
        case "local":
            return local.base_url(spec.model or DEFAULT_MODEL)
        case "python":
            return spec.target or ""
        case "command":
            return " ".join(spec.command or [])


def _pricer(prices: Mapping[str, Price]) -> Callable[[str, Usage], float | None] | None:
    """Return how to price an answer; None where the configuration names no price, for then nobody knows one."""
    if not prices:
        return None

    def price(model: str, usage: Usage) -> float | None:
        found = prices.get(model)
        if found is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = usage.cached_tokens or 0
        rate = found.input if found.cached is None else found.cached
        paid = (
            (usage.input_tokens - cached) * found.input + cached * rate + usage.output_tokens * found.output
        )
        return paid / MILLION

    return price
