"""The statistical unit of a sample set: conversation, else trace, else the sample; and a look for a forgotten key.

Samples of one conversation resemble each other. Judged as independent ones they make every interval too narrow: with
20 conversations of 10 samples a candidate that is worse by the margin passes one time in five instead of one in twenty.
So a key that looks like a conversation's, and stands where nobody reads it, is worth a warning.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptops.samples import Sample

# As the places that write traces call it; compared without case, blanks, `_` and `-`.
_NAMES: Final = frozenset(
    (
        "conversationid",
        "conversation",
        "threadid",
        "sessionid",
        "chatid",
        "dialogueid",
        "dialogid",
        "ticketid",
        "traceid",
    )
)


class Units:
    """Which cluster each sample belongs to, in 4 bytes a sample; fed with the samples in their order."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.codes = array("i")
        self.kinds: Counter[str] = Counter()
        self._suspects: dict[str, Counter[int]] = {}

    def add(self, sample: Sample) -> None:
        # A conversation and a trace of one name are not the same thing.
        name = f"{sample.unit_kind}:{sample.unit}"
        self.codes.append(self.known.setdefault(name, len(self.known)))
        self.kinds[sample.unit_kind] += 1
        if sample.unit_kind == "sample":
            for place, value in _candidates(sample):
                self._suspects.setdefault(place, Counter())[hash(value)] += 1

    @property
    def forgotten(self) -> tuple[str, int] | None:
        """A place whose values repeat like a conversation's in samples that are judged as independent, and how many."""
        found = {
            place: values for place, values in self._suspects.items() if values.total() > len(values) > 1
        }
        place = min(found, key=lambda one: (len(found[one]), one), default=None)
        return None if place is None else (place, len(found[place]))


def _candidates(sample: Sample) -> Iterator[tuple[str, Any]]:
    """Values under a name that says conversation, where the statistics do not look."""
    places: Mapping[str, Mapping[str, Any]] = {
        "inputs": sample.inputs or {},
        "extra": sample.extra,
        "cluster": sample.cluster.model_extra or {},
        "source": sample.source.model_extra or {},
    }
    for place, values in places.items():
        for name, value in values.items():
            plain = isinstance(value, str | int) and not isinstance(value, bool)
            if plain and name.lower().replace("_", "").replace("-", "").replace(" ", "") in _NAMES:
                # An unknown key of a sample is kept under `extra`; people know it where they wrote it.
                yield name if place == "extra" else f"{place}.{name}", value
