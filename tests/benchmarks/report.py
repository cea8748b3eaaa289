"""What was measured, as tables for the terminal and as one picture of bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.peers import OWN

WIDTH, ROW, LABELS, FIGURES = 760, 26, 220, 130  # pixels


@dataclass(frozen=True)
class Chart:
    """One measurement of several servers.

    Attributes:
        title: what was measured.
        unit: of the figures.
        columns: names of the figures; the first one is drawn.
        rows: for each server its figures.
        failed: servers that could not be measured, and why.
        compared: there is a column for what chatctl's first figure is, divided by each server's.
    """

    title: str
    unit: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    failed: Mapping[str, str] = field(default_factory=dict)
    compared: bool = True

    def as_json(self) -> dict[str, dict[str, float | str]]:
        """Returns the figures by server and name; of a server that could not be measured, why."""
        found: dict[str, dict[str, float | str]] = {
            name: dict(zip(self.columns, figures, strict=True)) for name, figures in self.rows.items()
        }
        return found | {name: {"failed": why} for name, why in self.failed.items()}


def print_chart(chart: Chart) -> None:
    """Prints a table, and below it who could not be measured."""
    table = Table(title=f"{chart.title} ({chart.unit})", title_justify="left")
    table.add_column("")
    for column in chart.columns:
        table.add_column(column, justify="right")
    if chart.compared:
        table.add_column(f"{OWN} / it", justify="right")
    for name, figures in chart.rows.items():
        table.add_row(name, *map(_figure, figures), *([_ratio(chart, figures[0])] if chart.compared else []))
    console = Console()
    console.print(table)
    for name, why in chart.failed.items():
        console.print(f"{name}: {why}", markup=False, highlight=False)


def _ratio(chart: Chart, figure: float) -> str:
    own = chart.rows.get(OWN)
    return f"{own[0] / figure:.2f}" if own and figure else "-"


def _figure(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def draw(charts: list[Chart], path: Path) -> None:
    """Draws the first figures of all charts as bars, and writes them to `path` as SVG."""
    parts: list[str] = []
    top = 10
    for chart in charts:
        parts.append(
            f'<text class="title" x="10" y="{top + 16}">{escape(chart.title)}, {escape(chart.unit)}</text>'
        )
        top += 28
        largest = max((figures[0] for figures in chart.rows.values()), default=0) or 1
        for name, figures in chart.rows.items():
            parts.append(_bar(name, figures[0], largest, top))
            top += ROW
        top += 18
    path.write_text(_SVG.format(width=WIDTH, height=top, body="\n".join(parts)), "utf-8")


def _bar(name: str, figure: float, largest: float, top: int) -> str:
    length = max((WIDTH - LABELS - FIGURES) * figure / largest, 1)
    kind = "own" if name.startswith(OWN) else "other"
    return (
        f'<text x="{LABELS - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LABELS}" y="{top + 3}" width="{length:.1f}" height="{ROW - 8}" rx="3"/>'
        f'<text x="{LABELS + length + 8:.1f}" y="{top + 16}">{_figure(figure)}</text>'
    )


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"
 viewBox="0 0 {width} {height}">
<style>
text {{ font: 13px sans-serif; fill: #24292f }} .title {{ font-weight: bold }}
.own {{ fill: #1a7f5a }} .other {{ fill: #8c959f }} .paper {{ fill: #ffffff }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }} .paper {{ fill: #0d1117 }} .own {{ fill: #3fb984 }}
}}
</style>
<rect class="paper" width="{width}" height="{height}"/>
{body}
</svg>
"""
