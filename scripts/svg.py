"""Small pictures as SVG text: shapes by meaning, colours that are readable on white and on black.

Nothing here knows statistics. The same calls give the same bytes: coordinates are rounded to a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#24292f}
.small{font-size:12px}.bold{font-weight:600}.faint{fill:#57606a}
.axis{stroke:#57606a;fill:none}.grid{stroke:#8c959f;stroke-opacity:.35;fill:none}
.pass{fill:#1a7f37}.fail{fill:#cf222e}.open{fill:#9a6700}.plain{fill:#0969da}
.spass{stroke:#1a7f37}.sfail{stroke:#cf222e}.sopen{stroke:#9a6700}.splain{stroke:#0969da}.sfaint{stroke:#8c959f}
.line{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}.dash{stroke-dasharray:5 4}
.band{fill-opacity:.14;stroke:none}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.faint{fill:#9198a1}.axis{stroke:#9198a1}
.pass{fill:#3fb950}.fail{fill:#f85149}.open{fill:#d29922}.plain{fill:#58a6ff}
.spass{stroke:#3fb950}.sfail{stroke:#f85149}.sopen{stroke:#d29922}.splain{stroke:#58a6ff}
}
""".strip()


@dataclass(frozen=True)
class Scale:
    """Where a number stands on a line of the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


class Picture:
    """Collects shapes; `text()` of the whole is the file."""

    def __init__(self, title: str, description: str, *, width: int = 720, height: int = 280) -> None:
        self._head = (title, description, width, height)
        self._shapes: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{joined}" class="line {kind}"/>')

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'
        )

    def dot(self, x: float, y: float, kind: str, *, radius: float = 5) -> None:
        self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"/>')

    def say(self, x: float, y: float, words: str, kind: str = "", *, at: str = "start") -> None:
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{at}">{escape(words, quote=False)}</text>'
        )

    def interval(self, x: Scale, y: float, low: float, middle: float, high: float, kind: str) -> None:
        """An estimate with both limits."""
        self.path([(x(low), y), (x(high), y)], f"s{kind}")
        for end in (low, high):
            self.line(x(end), y - 5, x(end), y + 5, f"line s{kind}")
        self.dot(x(middle), y, kind)

    def axis(
        self, x: Scale, y: float, ticks: Sequence[tuple[float, str]], *, top: float | None = None
    ) -> None:
        """A horizontal line with numbers under it; `top` draws a grid up to there."""
        self.line(x.start, y, x.end, y, "axis")
        for value, words in ticks:
            if top is not None:
                self.line(x(value), y, x(value), top, "grid")
            self.line(x(value), y, x(value), y + 4, "axis")
            self.say(x(value), y + 18, words, "small faint", at="middle")

    def upright(self, y: Scale, x: float, ticks: Sequence[tuple[float, str]], *, right: float) -> None:
        """A vertical line with numbers beside it and a grid to the right."""
        self.line(x, y.start, x, y.end, "axis")
        for value, words in ticks:
            self.line(x, y(value), right, y(value), "grid")
            self.say(x - 8, y(value) + 4, words, "small faint", at="end")

    def text(self) -> str:
        title, description, width, height = self._head
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d">',
            f'<title id="t">{escape(title)}</title>',
            f'<desc id="d">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            *self._shapes,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"
