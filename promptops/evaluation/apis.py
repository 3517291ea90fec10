"""Where a model's API is and whose key it takes: as configured, else as its vendor's own library would have it.

A vendor's key is sent to the vendor's address, or to the one that the vendor's variable names, and nowhere else: an
entry with an address of its own gets the key that the entry names, or none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from promptops.addresses import url_problem, with_version
from promptops.config import ProviderSpec, Timeouts
from promptops.errors import ConfigError
from promptops.messages import Request
from promptops.prompts.model import PromptSpec
from promptops.prompts.render import split_model
from promptops.providers.anthropicstream import Messages
from promptops.providers.asking import Asker, Patience, open_asker
from promptops.providers.dialect import Dialect
from promptops.providers.geminianswers import Generate
from promptops.providers.keys import read_header, read_key
from promptops.providers.openai import Chat
from promptops.providers.responses import Responses
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vendor:
    """Its address, the variable that names another, the version in the path, the variables of its key."""

    url: str
    url_variable: str
    version: str
    key_variables: tuple[str, ...]


_VENDORS: Mapping[str, _Vendor] = {
    "openai": _Vendor(
        url="https://api.openai.com/v1",
        url_variable="OPENAI_BASE_URL",
        version="",
        key_variables=("OPENAI_API_KEY",),
    ),
    "anthropic": _Vendor(
        url="https://api.anthropic.com",
        url_variable="ANTHROPIC_BASE_URL",
        version="v1",
        key_variables=("ANTHROPIC_API_KEY",),
    ),
    "gemini": _Vendor(
        url="https://generativelanguage.googleapis.com",
        url_variable="GOOGLE_GEMINI_BASE_URL",
        version="v1beta",
        key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ),
}


def api_url(spec: ProviderSpec, environ: Mapping[str, str]) -> str:
    """Return the address that calls go to, with the API's version.

    Raises:
        ConfigError: the vendor's variable holds no address.
    """
    vendor = _VENDORS[spec.kind]
    url = spec.base_url or environ.get(vendor.url_variable) or vendor.url
    if (problem := url_problem(url)) is not None:
        raise ConfigError(f"the environment variable {vendor.url_variable}: {problem}")
    return with_version(url, vendor.version) if vendor.version else url.rstrip("/")


def api_key(spec: ProviderSpec, environ: Mapping[str, str]) -> str | None:
    """Return the key to send, None for an address of the user's own that is given none.

    Raises:
        ConfigError: its variable is missing or holds no key.
    """
    if spec.api_key is not None:
        return read_key(spec.api_key.env, environ)
    if spec.base_url is not None:
        return None
    names = _VENDORS[spec.kind].key_variables
    return read_key(next((name for name in names if environ.get(name)), names[-1]), environ)


def api_kind(spec: ProviderSpec) -> str:
    """Return what tells one API from another in the cache."""
    return f"{spec.kind}.{spec.api}" if spec.api == "responses" else spec.kind


def _dialect(spec: ProviderSpec) -> Dialect:
    match api_kind(spec):
        case "anthropic":
            return Messages()
        case "gemini":
            return Generate()
        case "openai.responses":
            return Responses()
        case _:
            return Chat()


def check_asked(spec: ProviderSpec, prompt: PromptSpec) -> None:
    """Write a call without its messages, so that what an API cannot be asked is known before it is.

    Raises:
        Refused: parameters or `response_format` cannot be said to it.
    """
    _, model = split_model(prompt.model)
    request = Request(
        model=model, messages=(), parameters=prompt.parameters, response_format=prompt.response_format
    )
    _dialect(spec).body(request, stream=spec.stream)


@asynccontextmanager
async def open_api(spec: ProviderSpec, workspace: Workspace, *, at_once: int) -> AsyncIterator[Asker]:
    """Open a provider that is asked over HTTP, and close it at the end.

    Raises:
        ConfigError: a variable is missing, or an address, a header or `ca_file` cannot be used.
    """
    environ = workspace.environ
    named = {
        name: read_header(value.env, environ)
        for name, value in spec.headers.items()
        if not isinstance(value, str)
    }
    written = {name: value for name, value in spec.headers.items() if isinstance(value, str)}
    times = spec.timeouts or Timeouts()
    async with open_asker(
        _dialect(spec),
        api_url(spec, environ),
        api_key(spec, environ),
        at_once=at_once,
        stream=spec.stream,
        headers=written | named,
        secrets=named.values(),
        patience=Patience(connect=times.connect, first_token=times.first_token, idle=times.idle),
        ca_file=workspace.folder / spec.ca_file if spec.ca_file else None,
    ) as asker:
        yield asker
