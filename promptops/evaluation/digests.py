"""What is tested, in hashes: two tests with equal digests are the same test, and one run answers both.

Where answers come from is covered, not how fast they are asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from promptops.config import HTTP_KINDS
from promptops.errors import InvalidInput
from promptops.evaluation.apis import api_url
from promptops.evaluation.routes import entries_of
from promptops.prompts.model import Prompt, ScorerSpec
from promptops.workspace import Workspace

_PACE = {"requests_per_minute", "tokens_per_minute", "timeouts"}


def digests_of(
    workspace: Workspace,
    *,
    baseline: Prompt | None,
    candidate: Prompt,
    samples: str,
    specs: Mapping[str, ScorerSpec],
) -> dict[str, str]:
    """Return the digest of each part of a test; `samples` is the digest of the samples, `specs` are the scorers'.

    Raises:
        InvalidInput: a python scorer's module is not there.
    """
    prompts = [prompt for prompt in (baseline, candidate) if prompt is not None]
    return {
        "baseline": baseline.digest if baseline else "",
        "candidate": candidate.digest,
        "samples": samples,
        "policy": _policy_digest(candidate, specs, workspace),
        "providers": _providers_digest(prompts, workspace),
    }


def named(digests: Mapping[str, str], *, sequential: bool, repeats: int) -> dict[str, str]:
    """What names the run: a sequential test goes on with more samples, so they are not in its name."""
    found = dict(digests) | ({"repeats": str(repeats)} if repeats > 1 else {})
    if not sequential:
        return found
    return {name: digest for name, digest in found.items() if name != "samples"} | {"sequential": "1"}


def _policy_digest(prompt: Prompt, specs: Mapping[str, ScorerSpec], workspace: Workspace) -> str:
    """Cover everything that turns answers into a verdict, also the text of a python scorer."""
    spec = prompt.spec
    content: dict[str, Any] = {
        "scorers": {name: one.model_dump(mode="json", exclude_unset=True) for name, one in specs.items()},
        "sources": {name: _source(one, workspace) for name, one in specs.items() if one.python},
        "response_format": spec.response_format,
        "limits": {name: words.model_dump(mode="json") for name, words in spec.limits.items()},
        "gate": spec.gate.model_dump(mode="json"),
        "samples": spec.samples,
        "defaults": workspace.config.defaults.model_dump(mode="json"),
    }
    return _digest(content)


def _source(spec: ScorerSpec, workspace: Workspace) -> str:
    """The text of the module that a python scorer stands in; what it imports is not covered."""
    module = (spec.python or "").partition(":")[0].replace(".", "/")
    for path in (workspace.folder / f"{module}.py", workspace.folder / module / "__init__.py"):
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
    raise InvalidInput(f"{spec.python}: there is no {module}.py")


def _providers_digest(prompts: list[Prompt], workspace: Workspace) -> str:
    """Cover where answers come from, not how fast they are asked for: another endpoint is another run."""
    models = sorted({prompt.spec.model for prompt in prompts})
    entries = {one.provider: one.spec for model in models for one in entries_of(workspace.config, model)}
    routes = {
        name: workspace.config.routes[name].model_dump(mode="json")
        for name in sorted({model.partition("/")[0] for model in models})
        if name in workspace.config.routes
    }
    specs = {name: spec.model_dump(mode="json", exclude=_PACE) for name, spec in sorted(entries.items())}
    urls = {
        name: api_url(spec, workspace.environ) for name, spec in entries.items() if spec.kind in HTTP_KINDS
    }
    return _digest({"specs": specs, "urls": urls, "routes": routes})


def _digest(content: Any) -> str:
    # Numbers beyond RFC 8785's are possible in a schema; sorted JSON is as good for a digest nobody else computes.
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
