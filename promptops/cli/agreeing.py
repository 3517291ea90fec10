"""Before a test is paid: what it is about to ask and about what that costs, and in a terminal whether to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from promptops.errors import PromptopsError

if TYPE_CHECKING:
    from promptops.evaluation.money import Money
    from promptops.evaluation.plan import Plan

ASK_FROM = 0.10  # dollars: whoever tests all day is not asked about cents
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending, also in a terminal.")]


class Declined(PromptopsError):
    """Somebody said no before anything was asked."""

    exit_code = 130


def before_asking(*, yes: bool = False, recorded: bool = False) -> Callable[[Plan], None]:
    """Return what to do before a test asks anybody; with `recorded` nobody is asked, so there is nothing to spend.

    What is returned raises Declined when a person at a terminal does not want to go on.
    """

    def before(plan: Plan) -> None:
        from promptops.cli.output import note
        from promptops.cli.progress import announcement

        # A test that is done is only shown again; a sequential one may go on with new samples.
        done = (plan.workspace.state / "runs" / plan.run / "report.json").exists() and not plan.sequential
        free = recorded or done
        money = None if free else _money(plan)
        note(announcement(plan, cost=_said(money, plan)))
        if not yes and _wants_asking(money, plan) and sys.stdin.isatty() and sys.stderr.isatty():
            _ask()

    return before


def _ask() -> None:
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("nothing was asked and nothing spent; --yes goes on without asking")


def _money(plan: Plan) -> Money | None:
    """About what a call costs; None where it is not worth a word: somebody's own machine, without a price."""
    from promptops.evaluation.earlier import earlier_tests
    from promptops.evaluation.money import price_of

    found = price_of(plan, earlier_tests(plan.workspace, plan.id, plan.evidence))
    known = found.usd is not None or found.guess is not None
    return found if known or _leaves_here(plan) else None


def _leaves_here(plan: Plan) -> bool:
    """Whether an API elsewhere is asked, whose calls somebody is likely to be billed for."""
    from promptops.config import HTTP_KINDS
    from promptops.evaluation.apis import api_url
    from promptops.evaluation.routes import entries_of

    models = {one.prompt.spec.model for one in (plan.baseline, plan.candidate) if one is not None}
    entries = [entry for model in models for entry in entries_of(plan.workspace.config, model)]
    urls = [api_url(one.spec, plan.workspace.environ) for one in entries if one.spec.kind in HTTP_KINDS]
    return any(urlsplit(url).hostname not in _HERE for url in urls)


def _wants_asking(money: Money | None, plan: Plan) -> bool:
    if money is None:
        return False
    usd = money.usd if money.guess is None else money.guess.most
    return usd is None or usd * plan.calls >= ASK_FROM


def _said(money: Money | None, plan: Plan) -> str:
    from promptops.reports.numbers import dollars

    if money is None:
        return ""
    if money.usd is not None:
        return f", about {dollars(money.usd * plan.calls)} {money.source}"
    if guessed := money.guessed(plan.calls):
        return f", {guessed}"
    budget = plan.workspace.config.limits.budget_usd
    blind = "; a budget stops nothing whose price is unknown" if budget else ""
    return f", cost unknown ({money.source}{blind})"
