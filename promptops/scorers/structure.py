"""`json_schema` and `json_path`: what the answer is made of.

Schemas are read as JSON Schema 2020-12 unless `$schema` says otherwise; `format` is not checked and nothing
is ever fetched: a `$ref` stays inside its schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptops.messages import Completion
from promptops.samples import Sample, Score
from promptops.scorers.checked import Found, Test, parse_answer
from promptops.scorers.fill import Unscorable
from promptops.scorers.jsonpath import JsonPath
from promptops.scorers.text import reason, shown
from promptops.strictjson import NotJson

# jsonschema takes 80 ms to import, which only those pay who have a schema.
if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class FitsSchema:
    """The answer is JSON and fits the schema; the reason names the most telling misfit."""

    validator: Validator

    def ask(self, sample: Sample) -> Test:
        return self._test

    def _test(self, found: Found) -> str:
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            error = best_match(self.validator.iter_errors(found.json()))
        except Unresolvable as unresolvable:
            raise Unscorable(f"the schema points nowhere: {unresolvable}") from unresolvable
        return _said(error) if error else ""


def fits_schema(schema: Mapping[str, Any]) -> FitsSchema:
    """Read a schema.

    Raises:
        ValueError: it is none, or a `$ref` leaves it.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    for reference in _references(schema):
        if not reference.startswith("#"):
            raise ValueError(f"$ref {shown(reference)} leaves the schema; nothing is fetched")
    schema = dict(schema)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"the schema is not valid at {error.json_path}: {error.message}") from error
    return FitsSchema(validator=kind(schema, registry=Registry()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Nothing stands at the path, in an answer that is JSON."""

    path: JsonPath

    @property
    def value_range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def binary(self) -> bool:
        return True

    def score(self, sample: Sample, completion: Completion) -> Score:
        if completion.text is None:
            return Score(value=0.0, reason="the answer has no text")
        try:
            found = self.path.find(parse_answer(completion.text))
        except NotJson as error:
            return Score(value=0.0, reason=reason(f"not JSON: {error}"))
        if not found:
            return Score(value=1.0)
        return Score(value=0.0, reason=reason(f"{self.path.text} is there: {shown(found[0])}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Whatever the path has selected is right: that it exists was asked."""

    def ask(self, sample: Sample) -> Test:
        return lambda found: ""


def _said(error: ValidationError) -> str:
    message = error.message
    if len(message) > 120:
        message = f"{shown(error.instance)} does not fit {error.validator}"
    return f"{error.json_path}: {message}"


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, (list, tuple)):
        for value in schema:
            yield from _references(value)
