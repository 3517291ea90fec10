"""What a run cost, as its report and its ledger (`spend.json`) say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from promptops.errors import RunStopped
from promptops.evaluation.plan import Plan
from promptops.evaluation.pricing import price_list
from promptops.evaluation.routes import entries_of
from promptops.messages import Completion
from promptops.prices import PriceTable, frozen_prices
from promptops.report import Spend, SpendLine
from promptops.reports.machine import dumps
from promptops.runs.journal import Journal
from promptops.runs.spending import Account, Spending, Sum, paid

SCHEMA = "promptops.spend/1"


@contextmanager
def kept_ledger(plan: Plan, journal: Journal, spending: Spending) -> Iterator[None]:
    """Write the ledger beside the journal at the end, also when the run stops before its own.

    Raises:
        RunStopped: it cannot be written, and nothing else went wrong.
    """
    try:
        yield
    except BaseException:
        # What stopped the run is what people have to read.
        with suppress(RunStopped):
            journal.keep_spending(ledger(plan, spending))
        raise
    journal.keep_spending(ledger(plan, spending))


def spending_of(plan: Plan) -> Spending:
    """Return an empty ledger that knows the list prices of both arms' models."""
    table = frozen_prices()
    arms = {"candidate": plan.candidate} | ({"baseline": plan.baseline} if plan.baseline else {})
    prices = {name: _list_price(plan, one.prompt.spec.model, table) for name, one in arms.items()}
    return Spending(list_price=lambda arm, answer: prices[arm](answer) if arm in prices else None)


def _list_price(plan: Plan, model: str, table: PriceTable) -> Callable[[Completion], float | None]:
    lists = [
        price_list(one.spec, plan.workspace.environ, table)
        for one in entries_of(plan.workspace.config, model)
    ]

    def price(answer: Completion) -> float | None:
        # Nobody knows any more which of a route's providers answered.
        found = [known for one in lists if (known := one.find(answer.model)) is not None]
        return found[0].rates.dollars(answer.usage) if len(found) == len(lists) == 1 else None

    return price


def spend_of(spending: Spending) -> Spend:
    """Return what the report says of a ledger."""
    return Spend(
        calls=spending.calls,
        cached=spending.cached,
        imported=spending.imported,
        failures=spending.failures,
        usd=spending.usd,
        unpriced=spending.billed.unpriced,
        unknown_attempts=spending.lost.unpriced,
        list_usd=_listed(spending.listed, spending.lost),
        lines=[_line(arm, model, account) for (arm, model), account in sorted(spending.accounts.items())],
    )


def _line(arm: str, model: str, account: Account) -> SpendLine:
    return SpendLine(
        arm="baseline" if arm == "baseline" else "candidate",
        model=model or None,
        calls=account.calls,
        answers=account.answers,
        cached=account.cached,
        failures=account.failures,
        input_tokens=account.input_tokens,
        output_tokens=account.output_tokens,
        cached_tokens=account.cached_tokens,
        reasoning_tokens=account.reasoning_tokens,
        usd=paid(account.calls, account.billed, account.lost),
        unpriced=account.billed.unpriced,
        unknown_attempts=account.lost.unpriced,
        list_usd=_listed(account.listed, account.lost),
    )


def _listed(listed: Sum, lost: Sum) -> float | None:
    """A list price of a part would look like a saving: there is one of all of it, or none."""
    return None if listed.unpriced or listed.usd is None else (listed + lost).usd


def ledger(plan: Plan, spending: Spending) -> str:
    """Return `spend.json` as text: the same for the same answers, in whichever order they came."""
    table = frozen_prices()
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "run": plan.run,
        "prices": {"taken": table.taken, "source": table.source},
        **spend_of(spending).model_dump(mode="json"),
    }
    return dumps(content)
