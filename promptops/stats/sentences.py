"""One sentence for one finding, for a reader who knows the product and not the test behind it."""

from __future__ import annotations

from promptops.stats.results import FloorResult, Kind, MetricResult, NeverResult


def amount(kind: Kind, size: float, *, unit: bool = True) -> str:
    """A size as people say it: points of a pass rate, per cent of a ratio, the plain number of a score."""
    if kind == "bounded":
        return _short(abs(size))
    text = _short(abs(size) * 100)
    if kind == "ratio":
        return f"{text} %"
    return f"{text} {'point' if text == '1' else 'points'}" if unit else text


def _short(size: float) -> str:
    text = f"{size:.2f}" if size < 1 else f"{size:.1f}"
    if float(text) == 0 and size > 0:
        return f"{size:.1g}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def change(result: MetricResult) -> str:
    """`fell by 6 points`, `rose by 12 %`, `did not change`."""
    if result.difference is None:
        return "was not measured"
    if result.difference == 0:
        return "did not change"
    verb = "rose" if result.difference > 0 else "fell"
    return f"{verb} by {amount(result.kind, result.difference)}"


def regressed(name: str, result: MetricResult) -> str:
    """Why a guardrail is a REGRESSION."""
    allowed = amount(result.kind, result.margin, unit=False)
    fall = _fall(result, result.difference)
    if fall > result.margin:
        return f"{name} {change(result)} (allowed {allowed})"
    way = "rise" if result.kind == "ratio" else "fall"
    return f"{name} {change(result)}, shown to be worse, and a {way} beyond the allowed {allowed} is possible"


def open_guardrail(name: str, result: MetricResult, *, look: int | None = None) -> str:
    """Why a guardrail is INCONCLUSIVE."""
    if result.reason == "not_measured":
        return f"{name} was measured on no pair, so nothing is shown"
    if result.reason == "missing":
        return _missing(name, result)
    if result.reason == "decided_at_the_end":
        return _waits(name, result)
    if _is_tied(result):
        return _ties(name, result, look)
    way = "rise" if result.kind == "ratio" else "fall"
    text = f"{name}: a {way} beyond the allowed {amount(result.kind, result.margin)} is not ruled out"
    worst = _fall(result, result.upper if result.kind == "ratio" else result.lower)
    if worst > result.margin:
        text += f" (it may be {amount(result.kind, worst, unit=False)})"
    return f"{text} by {result.n} samples{_more(result)}"


def _fall(result: MetricResult, value: float | None) -> float:
    """How much worse a value on the shown scale is; 0 when unknown."""
    if value is None:
        return 0.0
    return value if result.kind == "ratio" else -value


def _missing(name: str, result: MetricResult) -> str:
    lost = (
        f"{result.dropped_baseline_missing} of {result.n * result.repeats} values of the baseline and "
        f"{result.candidate_unscored} of the candidate are missing"
    )
    return f"{name}: {lost}, too many to pass"


def _waits(name: str, result: MetricResult) -> str:
    return f"{name} is tested once, when all samples that were declared are in; {result.n} are"


def _is_tied(result: MetricResult) -> bool:
    """Whether every answer was as good as the one it is compared with, on too few samples for that to say much."""
    moved = (result.fixed, result.broken, result.wins, result.losses)
    few = result.n_required is not None and result.n_required > result.n
    return result.n_complete == result.n and few and not any(moved) and result.difference == 0


def _ties(name: str, result: MetricResult, look: int | None) -> str:
    pairs = "1 identical pair does" if result.n == 1 else f"{result.n} identical pairs do"
    return (
        f"{name}: {pairs} not prove that nothing changed; {result.n_required} are needed "
        f"for {_margin(result)}{_at(look)}"
    )


def _margin(result: MetricResult) -> str:
    size = amount(result.kind, result.margin, unit=False)
    if result.kind == "binary":
        return f"a {size}-point margin"
    return f"a margin of {size}"


def _at(look: int | None) -> str:
    if look is None:
        return ""
    return f" at the {('first', 'second', 'third')[look - 1]} look" if look <= 3 else f" at look {look}"


def _more(result: MetricResult) -> str:
    """What more samples would do; how many another look takes is said with the ways on."""
    if "more_samples_likelier_confirm" in result.notes:
        return "; more samples are likelier to confirm a regression"
    return ""


def open_target(name: str, result: MetricResult) -> str:
    """Why a target is NOT_SHOWN."""
    if result.reason == "missing":
        return _missing(name, result)
    if result.reason == "not_measured":
        return f"{name} must improve, but was measured on no pair"
    if result.reason == "decided_at_the_end":
        return _waits(name, result)
    return (
        f"{name} must improve, which is not shown: it {change(result)} over {result.n} samples{_more(result)}"
    )


def worsened(name: str, result: MetricResult) -> str:
    """Why a target is WORSE."""
    return f"{name} must improve, but {change(result)}"


def improved(name: str, result: MetricResult) -> str:
    """Why a target is BETTER."""
    return f"{name} {change(result)}"


def floor_sentence(name: str, kind: Kind, found: FloorResult) -> str:
    """Why a floor does not hold."""
    if found.lower is None or found.mean is None or found.upper is None:
        return f"{name}: no answer was scored, so its floor is not shown to hold"
    level = _level(kind, found.floor)
    if found.upper < found.floor:
        return f"{name} is {_level(kind, found.mean)}, below its floor of {level}"
    if found.reason == "missing":
        return f"{name}: {found.unscored} of {found.n} answers were not scored, too many to hold its floor"
    return (
        f"{name} is {_level(kind, found.mean)}, but may be {_level(kind, found.lower)}: its floor is {level}"
    )


def never_sentence(name: str, found: NeverResult) -> str:
    """Why a never is not kept."""
    if found.violations:
        return f"{name}: {found.violations} of {found.n} answers did what must never happen"
    if found.reason == "incomplete":
        return f"{name}: not every sample was answered, so what must never happen is not ruled out"
    if found.n == 0:
        return f"{name} was measured on no answer, so what must never happen is not ruled out"
    return f"{name}: {found.unscored} of {found.n} answers could not be checked for what must never happen"


def all_failed(name: str) -> str:
    """Why a metric on which both versions always fail keeps the verdict open."""
    return f"{name}: every answer of both versions got the worst score; check its path or what it expects"


def _level(kind: Kind, mean: float) -> str:
    return f"{_short(mean * 100)} %" if kind == "binary" else _short(mean)
