"""What was measured, as tables for the terminal and as one picture of bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

WIDTH, ROW, LABELS, FIGURES = 760, 26, 190, 130  # pixels


@dataclass(frozen=True)
class Chart:
    """One measurement of several servers.

    Attributes:
        title: what was measured.
        unit: of the figures.
        columns: names of the figures; the first one is drawn.
        rows: for each server its figures.
    """

    title: str
    unit: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]


def print_chart(chart: Chart) -> None:
    """Prints a table, with what the first row's first figure is, compared to the others'."""
    table = Table(title=f"{chart.title} ({chart.unit})", title_justify="left")
    table.add_column("")
    for column in (*chart.columns, "ratio"):
        table.add_column(column, justify="right")
    first = next(iter(chart.rows.values()))[0]
    for name, figures in chart.rows.items():
        ratio = f"{first / figures[0]:.2f}" if figures[0] else "-"
        table.add_row(name, *map(_figure, figures), ratio)
    Console().print(table)


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
        largest = max(figures[0] for figures in chart.rows.values()) or 1
        for number, (name, figures) in enumerate(chart.rows.items()):
            parts.append(_bar(name, figures[0], largest, top, own=number == 0))
            top += ROW
        top += 18
    path.write_text(_SVG.format(width=WIDTH, height=top, body="\n".join(parts)), "utf-8")


def _bar(name: str, figure: float, largest: float, top: int, *, own: bool) -> str:
    length = max((WIDTH - LABELS - FIGURES) * figure / largest, 1)
    kind = "own" if own else "other"
    return (
        f'<text x="{LABELS - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LABELS}" y="{top + 3}" width="{length:.1f}" height="{ROW - 8}" rx="3"/>'
        f'<text x="{LABELS + length + 8:.1f}" y="{top + 16}">{_figure(figure)}</text>'
    )


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">
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
