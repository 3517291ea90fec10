"""What is committed about a release: Version, Release and Evidence, their canonical bytes and digests.

A Version freezes a prompt: the source as written, and the body that the digest covers as plain values, so
that it can be checked without the parser of its day. A Release says what is live in one environment and names
the hash of the one before it: a chain. Evidence is what the gate saw, in numbers, ids and digests, without
customer text; its name is its content. Files are compared as bytes: there is one way to write each record.
Nothing here reads a file or a clock, and nothing here decides what may go live.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from promptops.errors import IntegrityError, InvalidFile, InvalidInput, Problem
from promptops.nodes import Node, plain_data, read_nodes
from promptops.prompts.canonical import digest as body_digest
from promptops.prompts.canonical import property_order
from promptops.prompts.written import ID_PATTERN
from promptops.writtenyaml import read_written
from promptops.yamltext import write_yaml

MAX_BYTES: Final = 8_000_000
MAX_FALLBACKS: Final = 20
ADDED: Final = frozenset({"anchors", "basis", "imported", "look"})
_LINE: Final = "\n"
_NESTED: Final = (dict, list, tuple)
_quoted = json.encoder.encode_basestring
_VERSION_NAME = re.compile(r"v[0-9]+")

Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=200)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Kind = Literal["first", "promote", "rollback"]


class _Record(BaseModel):
    # Built when first used: reading what is live needs one of these models.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Version(_Record):
    """A prompt frozen under a human number (`vN.yaml`); written once, never changed.

    `path` is where the prompt file stood, `source` its text, `partials` the texts of its includes, `body` the
    values that `digest` covers; its keys keep their order: structured output follows the order of a schema.
    """

    promptops: Literal[1] = 1
    id: Id
    version: Positive
    digest: Digest
    path: str = Field(min_length=1)
    source: str
    partials: dict[str, str] = {}
    body: dict[str, Any]


class Previous(_Record):
    """The record that stood in the pointer before: its sequence and the hash of its canonical bytes."""

    sequence: Positive
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Fallback(_Record):
    """A version that was live, was not rolled back from, and can be live again; with its evidence of then."""

    version: Positive
    digest: Digest
    evidence: Digest | None = None


class Release(_Record):
    """The pointer of one prompt in one environment (`ENV.yaml`).

    `evidence` is the sha256 of the evidence's bytes, None where a person adopted or forced without any.
    `accepted` overruled an INCONCLUSIVE, `forced` a REGRESSION or a missing test. `by` is `Name <address>`,
    `at` is UTC. `fallbacks` are what a rollback goes back to, nearest first: a clone without history can roll
    back too.
    """

    promptops: Literal[1] = 1
    id: Id
    environment: Id
    sequence: Positive
    version: Positive
    digest: Digest
    kind: Kind
    evidence: Digest | None = None
    reason: str = ""
    by: str
    at: Moment
    accepted: bool = False
    forced: bool = False
    previous: Previous | None = None
    fallbacks: list[Fallback] = Field(default=[], max_length=MAX_FALLBACKS)

    @model_validator(mode="after")
    def _is_one_step(self) -> Self:
        check_environment(self.environment)
        if (self.sequence == 1) != (self.previous is None) or (self.sequence == 1) != (self.kind == "first"):
            raise ValueError(
                "sequence 1 is the first release and has no previous record; every later one has"
            )
        if self.previous is not None and self.previous.sequence != self.sequence - 1:
            raise ValueError(f"sequence {self.sequence} cannot follow sequence {self.previous.sequence}")
        return self


class Arm(_Record):
    """A released version as the gate compared it."""

    version: Positive
    digest: Digest


class SampleSet(_Record):
    digest: Digest
    n: Annotated[int, Field(ge=0)]


class AnchorTest(_Record):
    """A test that passed against an anchor, the version since which metrics had fallen: their differences, as shown."""

    version: Positive
    digest: Digest
    run: str
    differences: dict[str, Annotated[float, Field(allow_inf_nan=False)]]


class Evidence(_Record):
    """What the gate saw (`evidence/<hex>.json`); `baseline` is None at a first release.

    `metrics` are rows of numbers and names as the gate judged them, `run` the id of the run that asked. `basis` is
    everything that the verdict was reached from (`promptops.basis`), so that it can be reached again. `look` says
    how often this question had been asked, this time included, None where nobody knows; `anchors` are tests of the
    candidate against what its metrics are measured from in the long run. `imported` is how many of the answers came
    in a file and were not asked for here, None where all of them were.
    """

    schema_: Literal["promptops.evidence/1"] = Field(default="promptops.evidence/1", alias="schema")
    prompt: Id
    baseline: Arm | None
    candidate: Digest
    samples: SampleSet
    policy: Digest
    verdict: Literal["pass", "regression", "inconclusive"]
    reasons: list[str] = []
    metrics: list[dict[str, Any]] = []
    alpha: Annotated[float, Field(gt=0, lt=1, strict=False)]
    basis: dict[str, Any] | None = None
    look: Positive | None = None
    anchors: list[AnchorTest] | None = None
    imported: Positive | None = None
    tool_version: str
    model: str
    provider: str
    run: str
    at: Moment


Record = TypeVar("Record", bound=_Record)


def canonical(record: Version | Release | Evidence) -> bytes:
    """Return the only bytes that this record is ever written as.

    Raises:
        InvalidInput: a value that has no exact form (NaN, NUL, more than 100 levels).
    """
    values = record.model_dump(mode="python", by_alias=True)
    if isinstance(record, Evidence):
        # What a later promptops added is not written where there is none: older files stay what they are.
        return _json(
            {name: value for name, value in values.items() if value is not None or name not in ADDED}
        )
    if isinstance(record, Version):
        values["partials"] = dict(sorted(record.partials.items()))
    return write_yaml(values).encode()


def _json(values: Mapping[str, Any]) -> bytes:
    try:
        return f"{_indented(values, _LINE)}\n".encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"evidence cannot be written as JSON: {error}") from error


def _indented(value: Any, line: str) -> str:
    """As `json.dumps` with an indent of 2 and sorted keys, whose fast writer has no indent but may be given one."""
    deeper = f"{line}  "
    if isinstance(value, dict) and value:
        if not any(isinstance(item, _NESTED) for item in value.values()):
            return f"{{{deeper}{_flat(deeper)(value)[1:-1]}{line}}}"
        inner = [f"{_quoted(key)}: {_indented(value[key], deeper)}" for key in sorted(value)]
    elif isinstance(value, list | tuple) and value:
        inner = [_indented(item, deeper) for item in value]
    else:
        return _flat(line)(value)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{deeper}{f',{deeper}'.join(inner)}{line}{closing}"


@cache
def _flat(line: str) -> Callable[[Any], str]:
    """Return the fast writer of what holds no lists and mappings, one value a line."""
    return json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(f",{line}", ": ")
    ).encode


def sha256(data: bytes) -> str:
    """Return the hash of some bytes as `sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parse_version(data: bytes, *, path: str) -> Version:
    """Read a `vN.yaml`.

    Raises:
        InvalidFile: not a version file.
        IntegrityError: the digest is not that of the body.
    """
    version = _parse(Version, data, path)
    check_body(version, path=path)
    return version


def check_body(version: Version, *, path: str) -> None:
    """Compare a version's digest with its body, and with the order of properties, in which models answer.

    Raises:
        IntegrityError: the digest is not that of the body.
    """
    try:
        actual = body_digest(version.body)
    except InvalidInput as error:
        raise IntegrityError(f"{path}: {error}") from error
    if actual != version.digest:
        raise IntegrityError(
            f"{path}: the digest says {short(version.digest)}, the body is {short(actual)}; "
            "restore the file from git"
        )
    if version.body.get("property_order", {}) != property_order(version.body):
        raise IntegrityError(
            f"{path}: properties of its body stand in another order than the digest covers; restore the file from git"
        )


def parse_release(data: bytes, *, path: str) -> Release:
    """Read an `ENV.yaml`.

    Raises:
        InvalidFile: not a pointer file.
    """
    return _parse(Release, data, path)


def parse_evidence(data: bytes, *, path: str, digest: str | None = None) -> Evidence:
    """Read an `evidence/<hex>.json`; `digest` is what a pointer says its bytes are.

    Raises:
        InvalidFile: not an evidence file.
        IntegrityError: the bytes are not those that the pointer names.
    """
    if digest is not None and sha256(data) != digest:
        raise IntegrityError(
            f"{path}: is {short(sha256(data))}, the pointer says {short(digest)}; restore the file from git"
        )
    _check_size(data, path)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidFile([Problem(path, 0, 0, f"not JSON: {error}")]) from error
    return _validate(Evidence, values, path, None)


def as_written(model: type[Record], data: bytes) -> Record | None:
    """Return the record of which these are the canonical bytes, None if they are of none: read the quick way.

    A version's digest is not compared with its body here.
    """
    if len(data) > MAX_BYTES:
        return None
    try:
        values = json.loads(data) if model is Evidence else read_written(data.decode())
        record = model.model_validate(values)
        assert isinstance(record, Version | Release | Evidence)
        return record if canonical(record) == data else None
    except (ValueError, InvalidInput, RecursionError):  # pydantic's ValidationError is a ValueError
        return None


def short(digest: str) -> str:
    """Return the first 12 hex digits of a digest, for people."""
    return digest.removeprefix("sha256:")[:12]


def evidence_name(digest: str) -> str:
    """Return the file name of evidence: the first 16 hex digits of its hash."""
    return f"{digest.removeprefix('sha256:')[:16]}.json"


def check_environment(name: str) -> None:
    """Refuse a name that would be taken for a version file.

    Raises:
        ValueError: `v12` and the like.
    """
    if _VERSION_NAME.fullmatch(name):
        raise ValueError(f"an environment cannot be called {name!r}: versions are called that")


def _check_size(data: bytes, path: str) -> None:
    if len(data) > MAX_BYTES:
        raise InvalidFile([Problem(path, 0, 0, f"larger than {MAX_BYTES:,} bytes")])


def _parse(model: type[Record], data: bytes, path: str) -> Record:
    _check_size(data, path)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidFile([Problem(path, data.count(b"\n", 0, error.start) + 1, 1, "not UTF-8")]) from error
    if (written := as_written(model, data)) is not None:
        return written
    root = read_nodes(text, path=path)
    if root is None:
        raise InvalidFile([Problem(path, 1, 1, "is empty")])
    return _validate(model, plain_data(root), path, root)


def _validate(model: type[Record], values: Any, path: str, root: Node | None) -> Record:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidFile(
            _problem(path, root, item["loc"], item["msg"]) for item in error.errors()
        ) from error


def _problem(path: str, root: Node | None, loc: tuple[int | str, ...], message: str) -> Problem:
    node = root
    for part in loc:
        child = node.child(part) if node is not None else None
        if child is None:
            break
        node = child
    where = ".".join(str(part) for part in loc)
    words = f"{where}: {message}" if where else message
    return Problem(path, node.line if node else 0, node.column if node else 0, words)
