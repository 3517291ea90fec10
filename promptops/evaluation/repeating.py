"""Several answers to each sample: where they stand in a run, and what columns of them say of a sample.

The answer number r to sample i of n stands at index r * n + i, so a column of repeats is one row per repeat. Refuses
repeats in a test that stops early: what a further answer to an old sample says is no news from a new one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from promptops.errors import ConfigError
from promptops.samples import Sample
from promptops.sampling import SampleSet

# numpy is imported where columns are read: a plan is made without it.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST = 100  # answers to one sample
SAME = 1e-9  # of the range: means that differ by rounding do not differ


def check_repeats(repeats: int, *, sequential: bool) -> None:
    """Refuse a number of repeats that a test cannot have.

    Raises:
        ConfigError: none or too many, or repeats in a test that stops early.
    """
    if not 1 <= repeats <= MOST:
        raise ConfigError(f"--repeats {repeats}: expected 1 to {MOST}")
    if sequential and repeats > 1:
        raise ConfigError(
            "--repeats: a sequential test asks each sample once; drop --repeats, or test without --sequential "
            "(gate.sequential in the prompt file)"
        )


def asked_repeatedly(
    numbered: Iterable[tuple[int, Sample]], *, n: int, repeats: int
) -> Iterator[tuple[int, Sample]]:
    """Give every sample once for each of its answers, one after another."""
    for index, sample in numbered:
        for place in range(index, n * repeats, n):
            yield place, sample


def draws_before(samples: SampleSet) -> Callable[[int], int]:
    """How many draws of its question come before the answer at an index: those of all samples that ask the same.

    So a further repeat leaves the answers of the earlier ones where they are.
    """
    a_round = 1 + max(samples.repeats.values(), default=0)
    return lambda index: index // samples.n * a_round


def rows(values: array[float], n: int) -> Floats:
    """A column as one row per repeat, without a copy."""
    import numpy as np

    return np.frombuffer(values, dtype=np.float64).reshape(max(1, len(values) // max(1, n)), n)


def stand_in(values: Floats, applies: NDArray[np.bool_]) -> Floats:
    """Let the other answers to a sample speak for one to which the measure does not apply (a cached one took no time).

    Measures are ratios: the one that is left out becomes the geometric mean of the others.
    """
    import numpy as np

    from promptops.stats.repeats import averaged

    if applies.all():
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = np.exp(averaged(np.log(np.where(applies, values, np.nan)), missing=None))
    return np.where(applies, values, typical)


def changes_by_sample(
    baseline: array[float], candidate: array[float], *, n: int, scale: tuple[float, float]
) -> Iterator[tuple[int, float]]:
    """Give the place of the most telling answer for every sample whose mean changed, and by how much it did."""
    import numpy as np

    from promptops.stats.repeats import averaged

    before, after = rows(baseline, n), rows(candidate, n)
    moved = averaged(after, missing=None) - averaged(before, missing=None)
    edge = SAME * (scale[1] - scale[0])
    for index in np.flatnonzero(np.abs(moved) > edge).tolist():
        toward = (after[:, index] - before[:, index]) * np.sign(moved[index])
        repeat = 0 if np.isnan(toward).all() else int(np.nanargmax(toward))
        yield repeat * n + index, float(moved[index])
