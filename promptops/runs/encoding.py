"""Answers and pairs as JSON and back, strictly: what was written is what is read, to the last surrogate.

The text is plain ASCII, so lone surrogates and NULs survive. Nothing unknown is accepted and nothing
missing is guessed: a line that is not exactly ours raises ValueError, and the caller knows the file and the
line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, Literal, NoReturn

from promptops.messages import NOTHING_LOST, Answer, Completion, Failure, Lost, ToolCall, Usage
from promptops.samples import Pair

_Types = Mapping[str, tuple[type, ...]]
_LARGEST = 2**63  # what no count and no sum of counts comes to; far beyond it there are no floats

_COMPLETION: _Types = {
    "text": (str, NoneType),
    "finish_reason": (str,),
    "model": (str,),
    "tool_calls": (list,),
    "usage": (dict,),
    "seconds": (float, int, NoneType),
    "first_token_seconds": (float, int, NoneType),
    "cost": (float, int, NoneType),
    "attempts": (int,),
    "cached": (bool,),
}
# Left out where there is nothing to say, as in all lines of before there was such a thing.
_SELDOM: _Types = {"lost": (dict,)}
_SELDOM_OF_ANSWERS: _Types = {**_SELDOM, "imported": (bool,)}
_LOST: _Types = {"usd": (float, int), "unknown": (int,)}
_FAILURE: _Types = {"kind": (str,), "message": (str,), "attempts": (int,)}
_TOOL_CALL: _Types = {"id": (str,), "name": (str,), "arguments": (str,)}
_USAGE: _Types = {field.name: (int, NoneType) for field in fields(Usage)}
_PAIR: _Types = {"index": (int,), "sample_id": (str,), "baseline": (dict,), "candidate": (dict,)}
_ONE_ARM: _Types = {"index": (int,), "sample_id": (str,), "role": (str,)}
_HALF: _Types = {**_ONE_ARM, "asked_at": (float, int), "answer": (dict,)}
_UNANSWERED: _Types = {**_ONE_ARM, "failure": (dict,)}

Role = Literal["baseline", "candidate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One answer of a pair whose other answer is not there; `asked_at` in seconds since 1970."""

    index: int
    sample_id: str
    role: Role
    asked_at: float
    answer: Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """What one arm of a pair was asked in vain, in a call that ended the run or was cut off by its end."""

    index: int
    sample_id: str
    role: Role
    failure: Failure


Line = Pair | Half | Unanswered


def to_line(value: Mapping[str, Any]) -> bytes:
    """Return one line of ASCII JSON, keys sorted, line feed at the end: the same value, the same bytes."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def from_line(line: bytes) -> Any:
    """Return the value of one JSON line.

    Raises:
        ValueError: it is not JSON, holds NaN or Infinity, or is too deep.
    """
    try:
        return json.loads(line, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def pair_to_dict(pair: Pair) -> dict[str, Any]:
    """Return a pair as JSON values."""
    return {
        "index": pair.index,
        "sample_id": pair.sample_id,
        "baseline": answer_to_dict(pair.baseline),
        "candidate": answer_to_dict(pair.candidate),
    }


def pair_from_dict(value: Any) -> Pair:
    """Return the pair.

    Raises:
        ValueError: it is not exactly one.
    """
    read = _exactly(value, _PAIR, what="a pair")
    if read["index"] < 0:
        raise ValueError("a pair's index is negative")
    return Pair(
        index=read["index"],
        sample_id=read["sample_id"],
        baseline=answer_from_dict(read["baseline"]),
        candidate=answer_from_dict(read["candidate"]),
    )


def line_to_dict(line: Line) -> dict[str, Any]:
    """Return what a line of a journal holds as JSON values."""
    if isinstance(line, Pair):
        return pair_to_dict(line)
    one_arm = {name: getattr(line, name) for name in _ONE_ARM}
    if isinstance(line, Half):
        return {**one_arm, "asked_at": line.asked_at, "answer": answer_to_dict(line.answer)}
    return {**one_arm, "failure": answer_to_dict(line.failure)}


def line_from_dict(value: Any) -> Line:
    """Return what a line of a journal holds; what is of one arm only is known by its `role`.

    Raises:
        ValueError: it is exactly none of them.
    """
    if not isinstance(value, dict) or "role" not in value:
        return pair_from_dict(value)
    failed = "failure" in value
    read = _exactly(value, _UNANSWERED if failed else _HALF, what="an answer of a pair")
    if read["index"] < 0 or read["role"] not in ("baseline", "candidate"):
        raise ValueError("an answer of a pair is of no pair")
    if failed:
        return Unanswered(**{**read, "failure": _failure_from_dict(read["failure"])})
    return Half(**{**read, "answer": completion_from_dict(read["answer"])})


def answer_to_dict(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON values; a failure is known by its `kind`."""
    if isinstance(answer, Failure):
        failed = {"kind": answer.kind, "message": answer.message, "attempts": answer.attempts}
        return {**failed, **_lost_to_dict(answer)}
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "model": answer.model,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls
        ],
        "usage": {name: getattr(answer.usage, name) for name in _USAGE},
        "seconds": answer.seconds,
        "first_token_seconds": answer.first_token_seconds,
        "cost": answer.cost,
        "attempts": answer.attempts,
        "cached": answer.cached,
        **({"imported": True} if answer.imported else {}),
        **_lost_to_dict(answer),
    }


def _lost_to_dict(answer: Answer) -> dict[str, Any]:
    lost = answer.lost
    return {} if lost == NOTHING_LOST else {"lost": {"usd": lost.usd, "unknown": lost.unknown}}


def answer_from_dict(value: Any) -> Answer:
    """Return the answer.

    Raises:
        ValueError: it is not exactly one.
    """
    if isinstance(value, dict) and "kind" in value:
        return _failure_from_dict(value)
    return completion_from_dict(value)


def _failure_from_dict(value: Any) -> Failure:
    return Failure(**_with_lost(_exactly(value, _and(_SELDOM, value, _FAILURE), what="a failure")))


def completion_from_dict(value: Any) -> Completion:
    """Return the completion.

    Raises:
        ValueError: it is not exactly one.
    """
    read = _with_lost(_exactly(value, _and(_SELDOM_OF_ANSWERS, value, _COMPLETION), what="an answer"))
    read["usage"] = Usage(**_exactly(read["usage"], _USAGE, what="usage"))
    read["tool_calls"] = tuple(
        ToolCall(**_exactly(call, _TOOL_CALL, what="a tool call")) for call in read["tool_calls"]
    )
    return Completion(**read)


def _and(seldom: _Types, value: Any, types: _Types) -> _Types:
    if not isinstance(value, dict) or seldom.keys().isdisjoint(value):
        return types
    return {**types, **{name: allowed for name, allowed in seldom.items() if name in value}}


def _with_lost(read: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(read)
    if "lost" in found:
        found["lost"] = Lost(**_exactly(found["lost"], _LOST, what="what was lost"))
    return found


def _exactly(value: Any, types: _Types, *, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    if value.keys() != types.keys():
        unlike = ", ".join(sorted(map(str, value.keys() ^ types.keys())))
        raise ValueError(f"{what} has other keys than it should: {unlike}")
    for name, allowed in types.items():
        if type(value[name]) not in allowed:
            raise ValueError(f"{name} of {what} is no {allowed[0].__name__}")
        if type(value[name]) is int and abs(value[name]) > _LARGEST:
            raise ValueError(f"{name} of {what} is too large")
    return value
