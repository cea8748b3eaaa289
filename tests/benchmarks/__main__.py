"""Measures chatctl beside whichever other servers are installed: ``python -m tests.benchmarks``.

The servers take turns in each round, and medians are shown. Figures of different machines, or of different
runs, do not compare; the ratios within one run do.
"""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks.modes import Mode, measure
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.report import Chart, draw, print_chart
from tests.benchmarks.signals import end_tidily


def main(
    mode: Annotated[Mode, typer.Option(help="What to measure.")] = Mode.throughput,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians are shown.")] = 5,
    receivers: Annotated[int | None, typer.Option(min=1, help="Instead of the mode's own.")] = None,
    senders: Annotated[int | None, typer.Option(min=1, help="Instead of the mode's own.")] = None,
    messages: Annotated[
        int | None, typer.Option(min=1, help="Of each sender, instead of the mode's own.")
    ] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Instead of the mode's own.")] = None,
    only: Annotated[str, typer.Option(help="Servers, with commas between.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    picture: Annotated[Path, typer.Option(help="Where to draw the result.")] = Path("benchmark.svg"),
) -> None:
    """Measures chatctl beside whichever other servers are installed, and draws the result."""
    given = {"receivers": receivers, "senders": senders, "messages": messages, "window": window}
    changes = {key: value for key, value in given.items() if value is not None}
    peers = _installed(only)
    end_tidily()
    _raise_file_limit()
    modes = [each for each in Mode if each != Mode.all] if mode == Mode.all else [mode]
    try:
        charts = [chart for each in modes for chart in measure(each, peers, changes, rounds)]
    except (OSError, RuntimeError) as error:
        typer.echo(f"chatctl could not be measured: {error}", err=True)
        raise typer.Exit(1) from None
    _show(charts, as_json=as_json)
    draw(charts, picture)


def _installed(only: str) -> list[Peer]:
    """Returns the servers that are wanted and can run here."""
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    unknown = wanted - {peer.name for peer in PEERS}
    if unknown:
        known = ", ".join(peer.name for peer in PEERS)
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}, only {known}")
    peers = [peer for peer in PEERS if peer.path and (not wanted or peer.name in wanted)]
    if not peers:
        raise typer.BadParameter(f"not installed: {only}")
    return peers


def _show(charts: list[Chart], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({chart.title: chart.as_json() for chart in charts}))
        return
    for chart in charts:
        print_chart(chart)


def _raise_file_limit() -> None:
    """Lets this process have as many files as it may; loads and servers inherit that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    typer.run(main)
