"""The samples of a test as one set that can be streamed again: what is in it, and that both versions can be asked."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from promptops.errors import InvalidInput, NothingToDo
from promptops.importers.digest import content_hash, samples_digest
from promptops.samples import Sample
from promptops.samplesource import SampleSource
from promptops.slicing import Partition, tallies
from promptops.units import Units

SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSet:
    """What one pass over a source found: how many, their digest, their statistical units and their weights.

    `units` counts the clusters (conversation, else trace, else the sample itself), `clusters` gives the number of
    its cluster for each sample, None where every sample is one; `unit_kinds` says how many samples go by what.
    `weights` is one over the chance with which a sample was drawn, None where nothing says so; `unweighted` counts
    the samples that do not say it in a set where others do. `forgotten` is a key that looks like a conversation's and
    is none of the above, and how many values it has. `repeats` numbers the samples that ask what an earlier
    one asks, from 1: each draws an answer of its own. `slices` are the keys that were asked for.
    """

    source: SampleSource
    n: int
    units: int
    digest: str
    repeats: Mapping[str, int]
    clusters: array[int] | None = None
    unit_kinds: Mapping[str, int] = field(default_factory=dict)
    weights: array[float] | None = None
    unweighted: int = 0
    forgotten: tuple[str, int] | None = None
    slices: tuple[Partition, ...] = ()


def survey(
    source: SampleSource,
    check: Callable[[Sample], None],
    *,
    by: Sequence[str] = (),
    critical: Sequence[str] = (),
) -> SampleSet:
    """Read every sample once and let `check` render it for both versions, before anything is asked or paid.

    `by` are keys of slices and `critical` names of slices (`language=de`) to be told apart.

    Raises:
        InvalidInput: samples that a version cannot be rendered with; the first of them by name.
        NothingToDo: the files hold no sample.
    """
    hashes: list[str] = []
    units = Units()
    weights = array("d")
    slices = tallies(by, critical)
    refused: list[str] = []
    asked: Counter[int] = Counter()
    repeats: dict[str, int] = {}
    count_refused = 0
    for sample in source:
        hashes.append(content_hash(sample))
        units.add(sample)
        for tally in slices:
            tally.add(sample.slices)
        weights.append(1 / sample.inclusion_prob if sample.inclusion_prob else 0.0)
        question = _question(sample)
        if asked[question]:
            repeats[sample.sample_id] = asked[question]
        asked[question] += 1
        try:
            check(sample)
        except InvalidInput as error:
            count_refused += 1
            if len(refused) < SHOWN_PROBLEMS:
                refused.append(f"{sample.sample_id}: {error}")
    if not hashes:
        raise NothingToDo(f"no samples in {', '.join(path.name for path in source.files) or source.rows_of}")
    if refused:
        more = f" (and {count_refused - len(refused)} more samples)" if count_refused > len(refused) else ""
        raise InvalidInput("\n".join(refused) + more)
    return SampleSet(
        source=source,
        n=len(hashes),
        units=len(units.known),
        digest=samples_digest(hashes),
        repeats=repeats,
        clusters=units.codes if len(units.known) < len(hashes) else None,
        unit_kinds=dict(sorted(units.kinds.items())),
        # Who does not say how likely it was drawn was not left out of anything: drawn for certain.
        weights=array("d", (weight or 1.0 for weight in weights)) if any(weights) else None,
        unweighted=weights.count(0.0) if any(weights) else 0,
        forgotten=units.forgotten,
        slices=tuple(tally.partition(critical) for tally in slices),
    )


def _question(sample: Sample) -> int:
    """What a sample asks, in 8 bytes."""
    text = json.dumps([sample.inputs, sample.messages], sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def inputs_of(written: list[str]) -> dict[str, str]:
    """Read NAME=VALUE.

    Raises:
        InvalidInput: something else.
    """
    found = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"-i {text!r}: expected NAME=VALUE")
        found[name.strip()] = value
    return found
