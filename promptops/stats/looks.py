"""How the promise of one error rate is shared by several looks at the same question.

Asking again, with other samples or after another draw, is another chance to be wrong. Look k is judged at a level
of its own; the levels add up to alpha, so that all looks together err at most that often, under any dependence
(Bonferroni with unequal shares), and how many there will be need not be said in advance. The first keeps four
fifths, and so nearly all its power. Counts nothing itself: how many looks there were is the ledger's to know.
"""

from __future__ import annotations

from typing import Final

from promptops.stats.results import BadNumbers, check_alpha

# Below this, 1 - alpha is not told from 1 by a float; a million looks more would add a millionth to the whole.
SMALLEST: Final = 1e-12


def alpha_at(look: int, alpha: float = 0.05) -> float:
    """Return the one-sided level of a look, counted from 1, of a question that is asked at `alpha` in all.

    0.8 alpha for the first, then 0.2 alpha / 2^(k-1) for k = 2, 3, …: 0.1, 0.05, … alpha.

    Raises:
        BadNumbers: `look` is not at least 1, or alpha is no level.
    """
    check_alpha(alpha)
    if look < 1:
        raise BadNumbers("bad_look", f"looks are counted from 1, got {look!r}")
    if look == 1:
        return alpha * 4 / 5  # 0.8 * 0.05 would read 0.04000000000000001
    share = alpha / 5 * 0.5 ** (look - 1)
    return max(share, min(SMALLEST, alpha))
