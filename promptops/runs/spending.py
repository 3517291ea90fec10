"""What a run has asked and paid, summed up from the lines of its journal: the ledger of a run.

Who finished first, and how often the run was killed and resumed, makes no difference: lines that are read count as
they did when they were written, half a pair, a failure that was asked again later and what the end of the run cut off
too. Only what a provider
counted is counted here; what it did not say stays unknown and is never 0, also of attempts that it began to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from promptops.messages import Answer, Completion, Failure
from promptops.runs.encoding import Half, Line, Unanswered
from promptops.runs.journal import is_final

# Whole numbers of these are summed, because a sum of floats would tell who finished first.
_PARTS_OF_A_DOLLAR = 10**12

ListPrice = Callable[[str, Completion], float | None]


@dataclass(slots=True)
class Sum:
    """Dollars, and how many calls they are of that nobody knows the price of."""

    priced: int = 0
    unpriced: int = 0
    _parts: int = 0

    def add(self, cost: float | None) -> None:
        if cost is None:
            self.unpriced += 1
        else:
            self.priced += 1
            self._parts += round(cost * _PARTS_OF_A_DOLLAR)

    @property
    def usd(self) -> float | None:
        """Dollars, at least, where some prices are unknown; None where all of them are."""
        return self._parts / _PARTS_OF_A_DOLLAR if self.priced or not self.unpriced else None

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.priced + other.priced, self.unpriced + other.unpriced, self._parts + other._parts)


def paid(calls: int, billed: Sum, lost: Sum) -> float | None:
    """Return the dollars of so many calls as far as they are known, None where none are."""
    both = billed + lost
    return None if calls and not both.priced else both.usd


@dataclass(slots=True)
class Account:
    """What one model was asked by one arm, and answered.

    `calls` are attempts, `answers` those of them that were answered, `failures` calls that never were; `cached`
    answers were not asked for. Tokens are those of `answers`, None where none of them told. `billed` is what the
    answers cost, `listed` what they and the cached ones cost without a cache; `lost` is what attempts cost that no
    answer came to, of which nobody can tell for those that are `unpriced`.
    """

    calls: int = 0
    answers: int = 0
    failures: int = 0
    cached: int = 0
    imported: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    billed: Sum = field(default_factory=Sum)
    listed: Sum = field(default_factory=Sum)
    lost: Sum = field(default_factory=Sum)

    def count(self, answer: Answer, cost: float | None) -> None:
        """Take one answer; `cost` is what it costs when it is asked for."""
        if answer.lost.usd:
            self.lost.add(answer.lost.usd)
        self.lost.unpriced += answer.lost.unknown
        if isinstance(answer, Failure):
            self.calls += answer.attempts
            self.failures += answer.attempts > 0
            return
        self.listed.add(cost)
        if answer.cached:
            self.cached += 1
            self.imported += answer.imported
            return
        self.calls += answer.attempts
        self.answers += 1
        self.billed.add(cost)
        used = answer.usage
        self.input_tokens = _more(self.input_tokens, used.input_tokens)
        self.output_tokens = _more(self.output_tokens, used.output_tokens)
        self.cached_tokens = _more(self.cached_tokens, used.cached_tokens)
        self.reasoning_tokens = _more(self.reasoning_tokens, used.reasoning_tokens)


def _more(known: int | None, added: int | None) -> int | None:
    return known if added is None else added + (known or 0)


@dataclass(slots=True)
class Spending:
    """Accounts by arm and by the model that answered ("" for calls that nobody did); grows with every line.

    `dearest` is what the dearest answer cost that was asked for, None while no price is known. `list_price` tells
    what a cached answer costs that was kept without a price.
    """

    list_price: ListPrice = lambda _arm, _answer: None
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    dearest: float | None = None
    # What was counted of pairs of which more lines are to come.
    _open: dict[int, dict[str, Answer]] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Take a line of a journal; an answer that stands in several lines of its pair was given once."""
        if isinstance(line, Half | Unanswered):
            self._once(line.index, line.role, line.answer if isinstance(line, Half) else line.failure)
            return
        self._once(line.index, "baseline", line.baseline)
        self._once(line.index, "candidate", line.candidate)
        if is_final(line.baseline) and is_final(line.candidate):
            self._open.pop(line.index, None)

    def _once(self, index: int, arm: str, answer: Answer) -> None:
        counted = self._open.setdefault(index, {})
        before = counted.get(arm)
        if isinstance(answer, Completion) and before == answer:
            return
        if isinstance(before, Failure):  # it was asked again: its attempts stay, it is no longer unanswered
            self._account(arm, "").failures -= before.attempts > 0
        counted[arm] = answer
        self._count(arm, answer)

    def _count(self, arm: str, answer: Answer) -> None:
        if isinstance(answer, Failure):
            if answer.attempts:
                self._account(arm, "").count(answer, None)
            return
        cost = answer.cost
        if answer.cached:
            cost = self.list_price(arm, answer) if cost is None else cost
        elif cost is not None:
            self.dearest = max(cost, self.dearest or 0.0)
        self._account(arm, answer.model).count(answer, cost)

    def _account(self, arm: str, model: str) -> Account:
        found = self.accounts.get((arm, model))
        if found is None:
            found = self.accounts[(arm, model)] = Account()
        return found

    @property
    def calls(self) -> int:
        """Attempts that were made."""
        return sum(one.calls for one in self.accounts.values())

    @property
    def cached(self) -> int:
        return sum(one.cached for one in self.accounts.values())

    @property
    def imported(self) -> int:
        return sum(one.imported for one in self.accounts.values())

    @property
    def failures(self) -> int:
        return sum(one.failures for one in self.accounts.values())

    @property
    def billed(self) -> Sum:
        """What was asked here and answered."""
        return sum((one.billed for one in self.accounts.values()), Sum())

    @property
    def listed(self) -> Sum:
        """What all answers cost without a cache."""
        return sum((one.listed for one in self.accounts.values()), Sum())

    @property
    def lost(self) -> Sum:
        """What attempts cost that no answer came to."""
        return sum((one.lost for one in self.accounts.values()), Sum())

    @property
    def usd(self) -> float | None:
        """Dollars for what was asked; None where no price of it is known."""
        return paid(self.calls, self.billed, self.lost)
