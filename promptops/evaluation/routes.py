"""Which providers may answer for a prompt's `PROVIDER/MODEL` or `ROUTE/MODEL`.

A route leads to the same model at several providers. In a test no other model's answer stands for the first's, so
what it holds for another name is left out there.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from promptops.config import Config, ProviderSpec, built_in
from promptops.errors import ConfigError, NotFound
from promptops.prompts.render import split_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One provider that may answer: its name, what is configured of it, and its name of the model."""

    provider: str
    spec: ProviderSpec
    model: str


def entries_of(config: Config, model: str, *, stand_ins: bool = False) -> tuple[Entry, ...]:
    """Return who may answer, first the one that is asked first; `stand_ins` adds a route's other models.

    Raises:
        NotFound: no such provider.
        ConfigError: a model is not on the allow-list, or a route does not lead to it.
    """
    name, wanted = split_model(model)
    if name not in config.routes:
        return (_entry(config, model),)
    order = config.routes[name].order
    same = [one for one in order if split_model(one)[1] == wanted]
    if not same:
        raise ConfigError(f"model {model!r}: the route {name} does not lead to {wanted}: {', '.join(order)}")
    others = [one for one in order if one not in same] if stand_ins else []
    return tuple(_entry(config, one) for one in (*same, *others))


def left_out(config: Config, model: str) -> tuple[str, ...]:
    """Return what a route holds that answers for this model in no test."""
    name, wanted = split_model(model)
    order = config.routes[name].order if name in config.routes else []
    return tuple(one for one in order if split_model(one)[1] != wanted)


def _entry(config: Config, model: str) -> Entry:
    provider, wanted = split_model(model)
    allowed = config.limits.models
    if allowed is not None and not any(fnmatch.fnmatchcase(model, pattern) for pattern in allowed):
        raise ConfigError(f"model {model!r} is not allowed: limits.models has {', '.join(allowed)}")
    known = {**built_in(), **config.providers}
    if provider not in known:
        names = [*known, *config.routes]
        raise NotFound("provider", provider, names, hint="add it under providers: in promptops.yaml")
    return Entry(provider=provider, spec=known[provider], model=wanted)
