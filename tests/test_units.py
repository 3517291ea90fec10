"""What counts as one draw, and a conversation's key that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest

from promptops.samples import Sample
from promptops.units import Units


def units_of(*rows: dict[str, Any]) -> Units:
    units = Units()
    for number, row in enumerate(rows):
        units.add(Sample.model_validate({"sample_id": f"smp_{number}", "inputs": {"n": number}} | row))
    return units


def test_the_unit_is_the_conversation_else_the_trace_else_the_sample() -> None:
    one = {"cluster": {"conversation_id": "a"}, "source": {"trace_id": "t"}}
    units = units_of(one, one, {"source": {"trace_id": "t"}}, {"source": {"trace_id": "a"}}, {}, {})
    assert list(units.codes) == [0, 0, 1, 2, 3, 4]
    assert units.kinds == {"conversation": 2, "trace": 2, "sample": 2}
    assert units.forgotten is None


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"conversation_id": "a"}, "conversation_id"),
        ({"extra": {"Thread-ID": 7}}, "Thread-ID"),
        ({"inputs": {"session_id": "a"}}, "inputs.session_id"),
        ({"cluster": {"chat_id": "a"}}, "cluster.chat_id"),
        ({"source": {"traceId": "a"}}, "source.traceId"),
    ],
)
def test_a_conversations_key_in_another_place_is_noticed(row: dict[str, Any], place: str) -> None:
    other = {key: value if key == "inputs" else {} for key, value in row.items() if isinstance(value, dict)}
    units = units_of(row, row, {**other, **_changed(row)})
    assert units.forgotten == (place, 2)


def _changed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: f"{one}!" for name, one in value.items()} if isinstance(value, dict) else f"{value}!"
        for key, value in row.items()
    }


def test_a_key_that_is_different_everywhere_or_nowhere_groups_nothing() -> None:
    assert units_of({"conversation_id": "a"}, {"conversation_id": "b"}).forgotten is None
    assert units_of({"conversation_id": "a"}, {"conversation_id": "a"}).forgotten is None


def test_who_says_the_conversation_is_not_suspected() -> None:
    row = {"cluster": {"conversation_id": "a"}, "session_id": "s"}
    assert units_of(row, row, row | {"session_id": "t"}).forgotten is None
