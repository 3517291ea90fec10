"""`promptops blame` as lines for a terminal of 80 to 200 columns: the prompt's lines, then the versions they name.

Long lines of a prompt are cut where the terminal ends; what is said of versions is wrapped, and never cut.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any, Final

from promptops.reports.columns import width
from promptops.reports.escape import one_line
from promptops.reports.numbers import mean

NARROWEST: Final = 80
WIDEST: Final = 200
_ROOMY: Final = 110  # from here on there is a place for dates, and for whole names
_GAP: Final = "  "
_FINE: Final = ("PASS", "OBSERVED")


def blame_lines(found: dict[str, Any], columns: int) -> list[str]:
    """Arrange what `promptops.blame/1` describes for a terminal of so many columns."""
    columns = min(max(columns, NARROWEST), WIDEST)
    shown = [f"{found['id']}, {one_line(found['ref'])}; {_live(found['live'])}"]
    several = len(found["live"]) > 1
    for file in found["files"]:
        shown += ["", one_line(file["path"]), *_table(file["lines"], columns, several=several)]
    shown += [""] if found["versions"] else []
    for version in found["versions"]:
        shown += wrap(_version(version), columns, subsequent_indent="      ", break_on_hyphens=False)
    notes = [*found["notes"], *_unreleased(found), *_out_of_sight(found)]
    return [*shown, *(line for note in notes for line in wrap(f"note: {one_line(note)}", columns))]


def _live(live: dict[str, int]) -> str:
    places = ", ".join(f"{place} v{version}" for place, version in live.items())
    return f"live: {places}" if places else "not live anywhere"


def _table(lines: Sequence[dict[str, Any]], columns: int, *, several: bool) -> Iterator[str]:
    roomy = columns >= _ROOMY
    rows = [_cells(line, roomy=roomy, several=several) for line in lines]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for line, row in zip(lines, rows, strict=True):
        cells = [_padded(cell, size) for cell, size in zip(row, widths, strict=True) if size]
        before = _GAP.join([f"{line['number']:>{len(str(len(lines)))}}", *cells])
        yield fitting(f"{before}{_GAP}│ {one_line(line['text'])}".rstrip(), columns)


def _cells(line: dict[str, Any], *, roomy: bool, several: bool) -> tuple[str, ...]:
    live = ", ".join(line["live"]) if several else "live" if line["live"] else ""
    released = f"v{line['version']} {line['how']}" if line["version"] else "unreleased"
    longest = 20 if roomy else 8
    date = (line["date"] or "")[:10] if roomy and not line["is_cut"] else ""
    return (
        _commit(line),
        fitting(_author(line), longest),
        date,
        released,
        fitting(live, 2 * longest if roomy else 10),
    )


def _commit(line: dict[str, Any]) -> str:
    if line["commit"] is None:
        return "–"
    return f"^{line['commit'][:7]}" if line["is_cut"] else str(line["commit"][:8])


def _author(line: dict[str, Any]) -> str:
    """Where history is cut, the author of its last commit is named for nothing that came before."""
    if line["commit"] is None:
        return "not yet"
    return "earlier" if line["is_cut"] else one_line(line["author"])


def _version(one: dict[str, Any]) -> str:
    """Say how a version went live: when, where, by whom, why, and the numbers of its test."""
    when = f"{one['at'][:16].replace('T', ' ')} in {one['environment']} by {one['by']}" if one["at"] else ""
    parts = [when or "how it went live is out of sight", _verdict(one)]
    parts += [", ".join(numbers(one["metrics"])), f"live in {', '.join(one['live'])}" if one["live"] else ""]
    return one_line(f"v{one['version']:<4} {'; '.join(part for part in parts if part)}")


def _verdict(one: dict[str, Any]) -> str:
    tested = f"{one['verdict'].upper()} on {one['samples']} samples" if one["verdict"] else ""
    against = f" against v{one['baseline']}" if one["baseline"] else ""
    overruled = f", {one['how']}: {one['reason']}" if one["how"] in ("accepted", "forced") else ""
    if one["how"] == "adopted":
        return "adopted without a test"
    return f"{tested}{against}{overruled}".removeprefix(", ")


def numbers(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """Return what decided, in words: every metric that gates; whether answers came only where they did not."""
    rows = [row for row in metrics if row.get("role", "observe") != "observe"]
    chosen = [row for row in rows if row.get("name") != "answered" or row.get("status") not in _FINE]
    return [_number(row) for row in chosen if row.get("candidate_mean") is not None]


def _number(row: dict[str, Any]) -> str:
    unit, before = str(row.get("unit", "score")), row.get("baseline_mean")
    now = mean(row["candidate_mean"], unit)
    return f"{row.get('name')} {now if before is None else f'{mean(before, unit)} → {now}'}"


def _unreleased(found: dict[str, Any]) -> list[str]:
    lines = [line for file in found["files"] for line in file["lines"]]
    new = sum(line["version"] is None for line in lines)
    return [f"{new} of {len(lines)} lines are not in what was released last"] if new else []


def _out_of_sight(found: dict[str, Any]) -> list[str]:
    if not found["is_cut"]:
        return []
    return ["this clone is shallow; who wrote the lines marked ^ is not here (git fetch --unshallow)"]


def _padded(text: str, size: int) -> str:
    return text + " " * (size - width(text))


def fitting(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns; what is cut is visible as an ellipsis."""
    if width(text) <= columns:
        return text
    taken, kept = 1, []  # 1: the ellipsis
    for char in text:
        taken += (
            0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
        )
        if taken > columns:
            break
        kept.append(char)
    return f"{''.join(kept).rstrip()}…"
