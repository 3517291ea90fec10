"""A sample, an answer and a scorer in one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.messages import Completion
from promptops.prompts.model import ScorerSpec
from promptops.samples import Sample, Score
from promptops.scorers.build import build_scorer

Ask = Callable[..., Score]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Score one answer: `ask({"equals": "billing"}, "billing", expected=..., inputs=...)`."""

    def score(
        written: dict[str, Any],
        answer: str | None,
        *,
        response_format: dict[str, Any] | None = None,
        template: str = "jinja2",
        **fields: Any,
    ) -> Score:
        spec = ScorerSpec.model_validate(written)
        scorer = build_scorer("it", spec, response_format=response_format, root=tmp_path, template=template)
        sample = Sample.model_validate({"sample_id": "smp_1", "inputs": {}, **fields})
        return scorer.score(sample, Completion(text=answer, finish_reason="stop", model="m"))

    return score
