"""Which samples belong to which slice (`language=de`), and the rules that slices bring into a policy.

A slice is one value of one key of the samples' `slices`. A sample without the key belongs to the slice `(none)`, so
every sample is in exactly one slice of each key. Four bytes a sample and key; refuses to keep a key's values without
bound: beyond the most frequent ones they are one slice, `(other)`.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from promptops.rules import Policy, Rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE: Final = "(none)"
OTHER: Final = "(other)"
MOST: Final = 200  # values of one key that are looked at each for itself
_LONGEST: Final = 80


def value_text(value: Any) -> str:
    """A slice's value as people write it: text as it is, everything else as JSON; nothing at all is `(none)`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if value is None or not text.strip():
        return NONE
    if len(text) <= _LONGEST:
        return text
    # Two long values that begin alike stay two.
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[:_LONGEST]}…{mark}"


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Every sample's value of one key: `values[codes[i]]` for the sample at index i.

    `values` begin with the most frequent one; `folded` is how many values are together in `(other)`.
    """

    key: str
    values: tuple[str, ...]
    codes: array[int]
    folded: int = 0

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many samples each value has."""
        counted = Counter(self.codes)
        return {value: counted[code] for code, value in enumerate(self.values)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its slices, `language=de`."""
        return tuple(f"{self.key}={value}" for value in self.values)

    def mask(self, value: str) -> NDArray[np.bool_]:
        """Which samples have a value, one byte a sample."""
        import numpy as np

        found: NDArray[np.bool_] = np.asarray(self.codes, dtype=np.int32) == self.values.index(value)
        return found


@dataclass(slots=True)
class Tally:
    """Collects the values of one key while the samples go by, in their order."""

    key: str
    codes: array[int] = field(default_factory=lambda: array("i"))
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, slices: Mapping[str, Any]) -> None:
        """Take in the next sample's slices."""
        value = value_text(slices.get(self.key))
        self.codes.append(self.seen.setdefault(value, len(self.seen)))

    def partition(self, keep: Collection[str] = ()) -> Partition:
        """Return what was collected: slices named in `keep` always, of the others the most frequent.

        The order of the samples changes nothing but the order of the codes.
        """
        counted = Counter(self.codes)
        ranked = sorted(self.seen, key=lambda value: (-counted[self.seen[value]], value))
        kept = ranked
        if len(ranked) > MOST:
            frequent = set(ranked[:MOST])
            kept = [value for value in ranked if value in frequent or f"{self.key}={value}" in keep]
        values = [*kept, OTHER] if len(kept) < len(ranked) and OTHER not in kept else kept
        places = {value: place for place, value in enumerate(values)}
        code = array("i", (places.get(value, places.get(OTHER, 0)) for value in self.seen))
        return Partition(
            key=self.key,
            values=tuple(values),
            codes=array("i", (code[one] for one in self.codes)),
            folded=len(ranked) - len(kept),
        )


def tallies(by: Sequence[str], critical: Iterable[str]) -> tuple[Tally, ...]:
    """One tally for every key that is named, by itself or in a critical slice."""
    return tuple(Tally(key) for key in dict.fromkeys((*by, *(name.partition("=")[0] for name in critical))))


def normal_name(written: str) -> str:
    """The name of a slice as it is written, without blanks around the equals sign."""
    key, _, value = written.partition("=")
    return f"{key.strip()}={value.strip()}"


@dataclass(frozen=True, slots=True)
class Masks(Mapping[str, Any]):
    """The masks of all slices by name, made when asked for; `chosen` are the indices that a column has, or None."""

    partitions: tuple[Partition, ...]
    chosen: Any = None

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        for one in self.partitions:
            value = name.removeprefix(f"{one.key}=")
            if value != name and value in one.values:
                whole = one.mask(value)
                return whole if self.chosen is None else whole[self.chosen]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for one in self.partitions for name in one.names)

    def __len__(self) -> int:
        return sum(len(one.values) for one in self.partitions)


def samples_in(partitions: Iterable[Partition], name: str) -> int:
    """How many samples a slice has; none where no sample has it."""
    return sum(
        count for one in partitions for value, count in one.counts.items() if f"{one.key}={value}" == name
    )


def with_slices(
    policy: Policy,
    partitions: Sequence[Partition],
    *,
    by: Sequence[str],
    critical: Sequence[str],
    blocks: bool,
) -> Policy:
    """Add what slices ask to a policy.

    A critical slice is a guardrail of its own for every metric that says what is right and is compared with the
    baseline. All other slices of the keys in `by` are only looked at, unless they may block. A key with one value
    says nothing that the whole does not.
    """
    compared = [rule for rule in policy.rules if is_compared(rule)]
    guarded = {rule.name: [_of_slice(rule, name) for name in critical] for rule in compared}
    explored = [
        name
        for one in partitions
        if one.key in by and len(one.values) > 1
        for name in one.names
        if name not in critical
    ]
    return replace(
        policy,
        rules=tuple(one for rule in policy.rules for one in (rule, *guarded.get(rule.name, ()))),
        explored=tuple(_of_slice(rule, name) for rule in compared for name in explored),
        slices_block=blocks,
    )


def is_compared(rule: Rule) -> bool:
    """Whether a rule of the whole holds slices to anything: it says what is right, and compares."""
    return rule.says_what_is_right and rule.role != "observe"


def _of_slice(rule: Rule, name: str) -> Rule:
    """The rule of a slice: not worse by more than the metric's own margin; targets and floors are of the whole."""
    return replace(rule, slice=name, guardrail=True, target=False, floor=None, drift=None)
