"""Reports for programs: JSON with sorted keys, no NaN, and a schema name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptops.report import Report


def report_json(report: Report) -> str:
    """Return `promptops.report/1` as text, ending in a line feed."""
    return dumps(report.model_dump(mode="json", by_alias=True))


def dumps(value: Mapping[str, Any]) -> str:
    """Return JSON that is the same byte for byte for the same value.

    Raises:
        ValueError: a NaN or an infinity got this far, which is a bug.
    """
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=True) + "\n"
