"""What a test would ask and what its samples can show, before anything is spent (`test --dry-run`)."""

from __future__ import annotations

from promptops.evaluation.plan import Plan
from promptops.stats.planning import minimum_n_zero_discordant
from promptops.stats.power import chance_of_passing


def outlook(plan: Plan) -> list[str]:
    """Return the lines to say about one plan."""
    n = plan.samples.n
    lines = [f"{plan.id}: {n} samples, up to {plan.calls} calls; what is in the cache is not asked again"]
    for rule in plan.policy.rules:
        if not rule.guardrail or rule.kind != "binary" or rule.margin is None or rule.metric == "answered":
            continue
        chance = chance_of_passing(n, margin=rule.margin, alpha=plan.policy.alpha)
        least = minimum_n_zero_discordant(rule.margin, plan.policy.alpha)
        lines.append(
            f"  {rule.metric}: an unchanged prompt passes the allowance of {rule.margin * 100:.3g} points about "
            f"{chance:.0%} of the time; without a single difference {least} samples are needed"
        )
    return lines
