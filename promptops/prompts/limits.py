"""What one rendering may use: counted in every loop, call, filter and text that is made.

A sandboxed template without limits builds 1 GB in half a second. One unit of work is one node of the template
once executed, or one element once walked over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from promptops.prompts.template import TemplateFault

MAX_OUTPUT: Final = 10_000_000
MAX_MADE: Final = 4 * MAX_OUTPUT
MAX_WORK: Final = 1_000_000
MAX_RANGE: Final = 10_000
MAX_BITS: Final = 4_096
_LARGE: Final = 200_000


@dataclass(slots=True, kw_only=True)
class Budget:
    """What is left for one rendering, in characters made and in units of work.

    `largest` is the size of the largest value at hand: comparing or cutting a text of 10 MB takes a
    millisecond, so with such a text every step costs more.
    """

    characters: int = MAX_MADE
    work: int = MAX_WORK
    macro_cost: int = 1
    largest: int = 0

    def spend(self, units: int) -> None:
        self.work -= units * (1 + self.largest // _LARGE)
        if self.work < 0:
            raise TemplateFault(f"the template runs for more than {MAX_WORK:,} steps")

    def make(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise TemplateFault(f"the template makes more than {MAX_MADE:,} characters")

    def made(self, value: Any) -> Any:
        """Count a value that was just made: text by its length, a number by its bits, a list by all in it."""
        if isinstance(value, str):
            self.largest = max(self.largest, len(value))
            self.make(len(value))
        elif isinstance(value, int):
            check_bits(value.bit_length())
        elif isinstance(value, (list, tuple, dict)):
            self._weigh(value)
        return value

    def counted(self, values: Iterable[Any], units: int) -> Iterator[Any]:
        """Pass the elements of a loop on; each costs what the loop's body costs."""
        for value in values:
            self.spend(units)
            yield value

    def _weigh(self, value: Any) -> None:
        # lists that hold one another many times are small in memory and endless once they are shown
        size = size_of(value)
        self.largest = max(self.largest, size)
        self.work -= size // 10
        self.make(size)
        self.spend(0)


def size_of(value: Any) -> int:
    """Return about how many characters a value has when it is shown; beyond MAX_MADE it stops counting."""
    size, stack = 0, [value]
    while stack and size <= MAX_MADE:
        item = stack.pop()
        size += len(item) if isinstance(item, str) else 10
        if isinstance(item, Mapping):
            size += 10 * len(item)
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple)):
            size += 10 * len(item)
            stack += item
    return size


def check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise TemplateFault(f"a number of more than {MAX_BITS:,} bits")


# One rendering has one budget; a context variable, because filters are called without their rendering.
_BUDGET: Final[ContextVar[Budget | None]] = ContextVar("budget", default=None)


def budget() -> Budget:
    """Return the budget of the rendering under way; outside of one, a fresh budget."""
    return _BUDGET.get() or Budget()


@contextmanager
def spending(one: Budget) -> Iterator[None]:
    """Count everything inside on this budget."""
    token = _BUDGET.set(one)
    try:
        yield
    finally:
        _BUDGET.reset(token)
