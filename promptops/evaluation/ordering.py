"""The order in which a sequential test takes its samples, fixed before anything is asked, and kept in its run.

Whole conversations in the order of a hash that nobody chooses: it follows from what is compared. What was asked keeps
its place when the test goes on with more samples; they follow in hash order. Refuses to go on when a sample that may
have been asked is gone or was changed: a test that may drop what it has seen can be made to say anything.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from promptops.errors import ConfigError, IntegrityError, InvalidInput, PromptopsError, RunStopped
from promptops.importers.digest import content_hash
from promptops.runs.journal import Journal
from promptops.samples import Sample
from promptops.samplesource import SampleSource
from promptops.sampling import SampleSet

FILE_NAME = "order.json"
SCHEMA = "promptops.order/1"
AT_FIRST = 256  # samples in memory at once; twice as many each time, for a test that stops early reads few
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One sample in the order: who it is, what it holds (a hash), the unit it belongs to and its weight there."""

    sample_id: str
    content: str
    unit: str
    weight: float
    at: int = -1  # where it is in the source


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The places, unit by unit. `largest` bounds the weight of a unit, and is that of the first set for ever.

    `late` counts samples that came after their unit was counted, `cut` those of units beyond `largest`: neither are
    in the order. `open_end` is False when more samples are there than may be asked.
    """

    places: tuple[Place, ...]
    largest: float
    late: int = 0
    cut: int = 0
    open_end: bool = True

    def unit_ends(self, index: int) -> bool:
        """Whether the sample at this index is the last of its unit."""
        return index + 1 == len(self.places) or self.places[index + 1].unit != self.places[index].unit

    @property
    def digest(self) -> str:
        text = "\n".join(f"{place.sample_id} {place.content}" for place in self.places)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedSource(SampleSource):
    """The same samples in another order; `places` are their positions in the files."""

    places: Sequence[int] = ()

    def __iter__(self) -> Iterator[Sample]:
        """Stream them in this order; the files are read again for every further part.

        Raises:
            RunStopped: there are fewer samples than there were.
        """
        start, size = 0, AT_FIRST
        while start < len(self.places):
            wanted = {place: number for number, place in enumerate(self.places[start : start + size])}
            found: dict[int, Sample] = {}
            for position, sample in enumerate(SampleSource.__iter__(self)):
                if position in wanted:
                    found[wanted[position]] = sample
                    if len(found) == len(wanted):
                        break
            if len(found) < len(wanted):
                raise RunStopped("samples were taken away while the test ran; run it again")
            yield from (found[number] for number in range(len(wanted)))
            start, size = start + size, size * 2


def arrange(samples: SampleSet, *, seed: str, journal: Journal, folder: Path, most: int | None) -> Order:
    """Put samples in the order of this run, and write it beside its journal before anything is asked.

    `seed` follows from what is compared, `most` is how many samples may be asked at most.

    Raises:
        InvalidInput: samples that may have been asked are gone or were changed.
        ConfigError: the first unit alone is larger than `most`.
        IntegrityError: the order that was written is damaged.
    """
    stored, largest = _read(folder / FILE_NAME)
    rows = _rows(samples)
    kept = _kept(stored, journal, rows)
    taken, units = {place.sample_id for place in kept}, {place.unit for place in kept}
    fresh = [row for row in rows if row.sample_id not in taken and row.unit not in units]
    largest = largest if kept else _largest(rows)
    fitting = [place for unit in _by_unit(fresh, seed) for place in _within(unit, largest)]
    whole = (*kept, *fitting)
    chosen = _at_most(whole, most)
    order = Order(
        places=chosen,
        largest=largest,
        late=len(rows) - len(kept) - len(fresh),
        cut=len(fresh) - len(fitting),
        open_end=len(chosen) == len(whole) and (most is None or len(chosen) < most),
    )
    _write(folder / FILE_NAME, order)
    return order


def in_order(samples: SampleSet, order: Order, n: int | None = None) -> SampleSet:
    """The same samples in this order, or the first `n` of them."""
    places = order.places[:n]
    at = [place.at for place in places]
    source = samples.source
    kinds = [place.unit.partition(":")[0] for place in places]
    return replace(
        samples,
        source=OrderedSource(
            root=source.root,
            files=source.files,
            rows=source.rows,
            rows_of=source.rows_of,
            ids=source.ids,
            where=source.where,
            places=array("q", at),
        ),
        n=len(at),
        units=len({place.unit for place in places}),
        clusters=None if samples.clusters is None else array("i", (samples.clusters[one] for one in at)),
        unit_kinds={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        weights=None if samples.weights is None else array("d", (samples.weights[one] for one in at)),
        slices=tuple(
            replace(one, codes=array("i", (one.codes[place] for place in at))) for one in samples.slices
        ),
    )


def _rows(samples: SampleSet) -> list[Place]:
    weights = samples.weights
    return [
        Place(
            sample_id=sample.sample_id,
            content=content_hash(sample)[:32],
            unit=f"{sample.unit_kind}:{sample.unit}",
            weight=1.0 if weights is None else weights[at],
            at=at,
        )
        for at, sample in enumerate(samples.source)
    ]


def _kept(stored: Sequence[Place], journal: Journal, rows: Sequence[Place]) -> list[Place]:
    """The units of which anything may have been asked, in their old places."""
    end = 1 + max((index for index in range(len(stored)) if index in journal), default=-1)
    while 0 < end < len(stored) and stored[end].unit == stored[end - 1].unit:
        end += 1
    known = {row.sample_id: row for row in rows}
    gone = [
        place.sample_id
        for place in stored[:end]
        if place.sample_id not in known or known[place.sample_id].content != place.content
    ]
    if gone:
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        raise InvalidInput(
            f"this sequential test has already counted samples that are gone or were changed: "
            f"{', '.join(gone[:SHOWN])}{more}; put them back to go on, or test without --sequential"
        )
    return [replace(place, at=known[place.sample_id].at) for place in stored[:end]]


def _by_unit(rows: Sequence[Place], seed: str) -> Iterator[list[Place]]:
    """The units in the order of their hashes, each with its samples as they stand in the files."""

    def key(row: Place) -> tuple[bytes, str]:
        return hashlib.sha256(f"{seed}:{row.unit}".encode("utf-8", "surrogatepass")).digest(), row.unit

    for _, unit in groupby(sorted(rows, key=key), key=key):
        yield list(unit)


def _largest(rows: Sequence[Place]) -> float:
    weights: dict[str, float] = {}
    for row in rows:
        weights[row.unit] = weights.get(row.unit, 0.0) + row.weight
    return max(weights.values())


def _within(unit: Sequence[Place], largest: float) -> Iterator[Place]:
    """The first samples of a unit, as many as the bets allow for."""
    weight = 0.0
    for place in unit:
        weight += place.weight
        if weight > largest * (1 + 1e-9):
            return
        yield place


def _at_most(places: Sequence[Place], most: int | None) -> tuple[Place, ...]:
    """Whole units, together at most so many samples."""
    if most is None or len(places) <= most:
        return tuple(places)
    end = most
    while end and places[end - 1].unit == places[end].unit:
        end -= 1
    if not end:
        size = sum(place.unit == places[0].unit for place in places)
        raise ConfigError(f"gate.sequential: one conversation has {size} samples, and max_samples is {most}")
    return tuple(places[:end])


def _read(path: Path) -> tuple[list[Place], float]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0.0
    try:
        written: dict[str, Any] = json.loads(data)
        keys = ("sample_id", "content", "unit", "weight")
        places = [Place(**dict(zip(keys, row, strict=True))) for row in written["samples"]]
        return places, float(written["largest"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path} is no order of samples; delete the folder to begin anew") from error


def _write(path: Path, order: Order) -> None:
    rows = [[place.sample_id, place.content, place.unit, place.weight] for place in order.places]
    text = json.dumps({"schema": SCHEMA, "largest": order.largest, "samples": rows}, allow_nan=False)
    beside = path.with_suffix(".json.new")
    try:
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise PromptopsError(f"cannot write {path}: {error.strerror}") from error
