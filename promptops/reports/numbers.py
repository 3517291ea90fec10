"""The words for numbers in reports, once: means, changes, intervals and p-values in their units."""

from __future__ import annotations

MINUS = "−"
_RELATIVE = ("seconds", "dollars", "tokens")


def mean(value: float | None, unit: str) -> str:
    """Print a mean in its unit."""
    if value is None:
        return "–"
    match unit:
        case "share":
            return f"{value * 100:.3g}%"
        case "seconds":
            return f"{value:.2f}s" if value >= 0.1 else f"{value * 1000:.0f}ms"
        case "dollars":
            return f"${value:.2g}"
        case "tokens":
            return f"{value:.0f}"
        case _:
            return f"{value:.3g}"


def signed(value: float, digits: int = 2) -> str:
    """Print a number with its sign, a true minus, and no negative zero."""
    text = f"{abs(value):.{digits}g}" if abs(value) < 10**digits else f"{abs(value):.0f}"
    if float(text) == 0:
        return "0"
    return f"{'+' if value > 0 else MINUS}{text}"


def scaled(value: float, unit: str) -> str:
    """Print a difference without its unit: points of a share, per cent of a ratio, the plain number of a score."""
    return signed(value * 100) if unit == "share" or unit in _RELATIVE else signed(value)


def change(value: float | None, unit: str) -> str:
    """Print a difference with its unit."""
    suffix = {"share": " pts", "score": ""}.get(unit, " %")
    return "–" if value is None else f"{scaled(value, unit)}{suffix}"


def interval(lower: float | None, upper: float | None, unit: str) -> str:
    """Print an interval of differences."""
    if lower is None or upper is None:
        return "–"
    percent = "" if unit in ("share", "score") else " %"
    return f"{scaled(lower, unit)} … {scaled(upper, unit)}{percent}"


def p_value(value: float) -> str:
    """Print a p-value: two figures, never 0."""
    if value < 1e-15:
        return "< 1e-15"
    return f"{value:.2g}" if value >= 0.001 else f"{value:.1e}".replace("e-0", "e-")


def dollars(usd: float) -> str:
    """Print money: cents, and two figures of what is less than one."""
    return f"${usd:,.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.2g}"
