"""Which sample ids have been seen, in one or several files: 8 bytes of hash for each, not the ids."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from rfc8785 import IntegerDomainError

from promptops.samples import sample_id

_SAFE = 2**53
_LINE_BITS = 40


class Ids:
    """Gives every record its id; one object serves all the files of a sample set."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._places: dict[int, int] = {}
        self._repeats: dict[int, int] = {}

    def open(self, name: str) -> None:
        """From here on records come from the file called `name`."""
        self._files.append(name)

    def written(self, identity: str, line: int) -> str:
        """Note an id that somebody wrote; return the `file:line` where it was before, or nothing."""
        key = _key(identity)
        if key in self._places:
            return self._place(key)
        self._note(key, line)
        return ""

    def computed(self, record: Mapping[str, Any], line: int) -> str:
        """Return the content hash of a record without an id; identical records are numbered."""
        identity = content_id(record)
        key = _key(identity)
        while _key(identity) in self._places:
            self._repeats[key] = self._repeats.get(key, 0) + 1
            identity = content_id(record, self._repeats[key])
        self._note(_key(identity), line)
        return identity

    def _note(self, key: int, line: int) -> None:
        self._places[key] = max(len(self._files) - 1, 0) << _LINE_BITS | line

    def _place(self, key: int) -> str:
        file, line = divmod(self._places[key], 1 << _LINE_BITS)
        return f"{self._files[file]}:{line}" if self._files else f"line {line}"


def content_id(record: Mapping[str, Any], occurrence: int = 0) -> str:
    """`samples.sample_id`, also for records with integers beyond 2**53, which count as their digits.

    Raises:
        rfc8785.CanonicalizationError: a text or a number that has no canonical form.
    """
    try:
        return sample_id(dict(record), occurrence)
    except IntegerDomainError:
        return sample_id(canonical(record), occurrence)


def canonical(value: Any) -> Any:
    """The value with integers that JSON does not carry exactly written as text."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return str(value) if isinstance(value, int) and abs(value) >= _SAFE else value


def _key(identity: str) -> int:
    digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
