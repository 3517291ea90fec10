"""Who answers: from a prompt's `PROVIDER/MODEL` to paced providers, opened for one run and closed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from promptops.config import HTTP_KINDS, Config, ProviderSpec
from promptops.documents import compose
from promptops.errors import ConfigError, InvalidFile, NotFound, Refused
from promptops.evaluation.apis import api_kind, api_url, check_asked, open_api
from promptops.evaluation.pricing import price_list, pricer
from promptops.evaluation.routes import Entry, entries_of, left_out
from promptops.messages import Completion, Request
from promptops.ports import Provider
from promptops.prices import PriceTable, frozen_prices
from promptops.prompts.model import Prompt
from promptops.prompts.render import render_sample, split_model
from promptops.providers import local
from promptops.providers.command import open_command
from promptops.providers.local import DEFAULT_MODEL
from promptops.providers.python import load_target, open_python
from promptops.runs.budget import Budget
from promptops.runs.pacing import Paced
from promptops.runs.replay import Arm
from promptops.runs.retrying import Tools
from promptops.runs.routing import Routed, Way
from promptops.samples import Sample
from promptops.workspace import Workspace

MOST_LOCAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Who answers, open; `kind` and `place` are what an answer is cached under."""

    paced: Paced | Routed
    kind: str
    place: str


def provider_spec(config: Config, model: str) -> tuple[str, ProviderSpec]:
    """Return the name and the entry of the provider that is asked first for a model.

    Raises:
        NotFound: no such provider.
        ConfigError: the model is not on the allow-list, or a route does not lead to it.
    """
    first = entries_of(config, model)[0]
    return first.provider, first.spec


def check_provider(config: Config, prompt: Prompt) -> None:
    """Refuse a prompt whose model nobody answers for, or not as it is asked, where the model is written.

    Raises:
        InvalidFile: no such provider, the model is not on the allow-list, or its API cannot be asked so.
    """
    try:
        for entry in entries_of(config, prompt.spec.model):
            if entry.spec.kind in HTTP_KINDS:
                check_asked(entry.spec, prompt.spec)
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
    stand_ins: bool = False,
    tools: Tools | None = None,
) -> AsyncIterator[Mapping[str, Endpoint]]:
    """Open the providers of every model, each once; return who answers, by the model as a prompt names it.

    With `recorded` nothing is opened and no key is read: only the places are there, for the cache. With
    `stand_ins` a route may lead to other models than the prompt's: never in a test. `tools` are the clock, the
    sleep and the randomness of pauses.

    Raises:
        ConfigError: a key's variable is missing, a runtime is not installed.
    """
    config, prices = workspace.config, frozen_prices()
    opened: dict[str, Paced] = {}
    endpoints: dict[str, Endpoint] = {}
    async with AsyncExitStack() as stack:
        for model in dict.fromkeys(models):
            entries = entries_of(config, model, stand_ins=stand_ins)
            if not stand_ins and (others := left_out(config, model)):
                say(f"{model}: no other model stands in for it in a test; not asked: {', '.join(others)}")
            for entry in entries:
                if entry.provider in opened:
                    continue
                provider: Provider = _Nobody()
                if not recorded:
                    provider = await stack.enter_async_context(
                        _open(entry.provider, entry.spec, workspace, say)
                    )
                opened[entry.provider] = _paced(
                    provider, entry, workspace, budget, prices, say, tools or Tools()
                )
            endpoints[model] = _endpoint(model, entries, opened, workspace)
        yield endpoints


def _paced(
    provider: Provider,
    entry: Entry,
    workspace: Workspace,
    budget: Budget | None,
    prices: PriceTable,
    say: Callable[[str], None],
    tools: Tools,
) -> Paced:
    limits, spec = workspace.config.limits, entry.spec
    return Paced(
        provider,
        name=entry.provider,
        deadline=limits.deadline,
        outage=limits.outage,
        attempts=limits.attempts,
        at_once=_at_once(spec, workspace),
        requests_per_minute=spec.requests_per_minute,
        tokens_per_minute=spec.tokens_per_minute,
        price=pricer(price_list(spec, workspace.environ, prices)),
        budget=budget,
        say=say,
        clock=tools.clock,
        sleep=tools.sleep,
        random=tools.random,
    )


def _endpoint(
    model: str, entries: Sequence[Entry], opened: Mapping[str, Paced], workspace: Workspace
) -> Endpoint:
    """A route with one way is that provider, in the cache too."""
    places = [(api_kind(entry.spec), _place(entry.spec, workspace)) for entry in entries]
    if len(entries) == 1:
        return Endpoint(paced=opened[entries[0].provider], kind=places[0][0], place=places[0][1])
    ways = [Way(paced=opened[entry.provider], model=entry.model) for entry in entries]
    named = [f"{kind} {place} {entry.model}" for (kind, place), entry in zip(places, entries, strict=True)]
    on = workspace.config.routes[split_model(model)[0]].on
    return Endpoint(paced=Routed(ways, on=on), kind="route", place=" | ".join(named))


def arm(prompt: Prompt, endpoints: Mapping[str, Endpoint]) -> Arm:
    """Return how one version is asked: its own rendering, at who answers for its own model."""
    endpoint = endpoints[prompt.spec.model]

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
            async with open_python(load_target(spec.target or "", root=workspace.folder), name=name) as own:
                yield own
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
