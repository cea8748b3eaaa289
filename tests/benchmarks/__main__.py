"""Measures chatctl beside whichever other servers are installed: ``python -m tests.benchmarks``.

The servers take turns in each round, and medians are shown. Figures of different machines, or of different
runs, do not compare; the ratios within one run do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from tests.benchmarks import startup
from tests.benchmarks.load import Plan, Result, run
from tests.benchmarks.peers import PEERS, Peer, memory, running
from tests.benchmarks.report import Chart, draw, print_chart


class Mode(StrEnum):
    """What is measured."""

    throughput = "throughput"
    small_window = "small-window"
    latency = "latency"
    many = "many"
    startup = "startup"
    all = "all"


PLANS = {
    Mode.throughput: Plan(),
    Mode.small_window: Plan(receivers=100, senders=8, messages=500, window=1),
    Mode.latency: Plan(senders=1, messages=500, interval=0.005),
    Mode.many: Plan(receivers=10_000, messages=100),
}
FEWER = 1_000  # receivers that many are compared to


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
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    peers = [peer for peer in PEERS if peer.path and (not wanted or peer.name in wanted)]
    modes = [each for each in Mode if each != Mode.all] if mode == Mode.all else [mode]
    charts: list[Chart] = []
    for each in modes:
        if each == Mode.startup:
            charts.append(_startup(rounds))
        else:
            charts.append(_CHARTS[each](peers, replace(PLANS[each], **changes), rounds))
    _show(charts, as_json=as_json)
    draw(charts, picture)


def _show(charts: list[Chart], *, as_json: bool) -> None:
    if as_json:
        typer.echo(
            json.dumps(
                {
                    c.title: {n: dict(zip(c.columns, f, strict=True)) for n, f in c.rows.items()}
                    for c in charts
                }
            )
        )
        return
    for chart in charts:
        print_chart(chart)


def _throughput(peers: list[Peer], plan: Plan, rounds: int) -> Chart:
    results = _take_turns(peers, plan, rounds)
    rows = {name: (_median(r, lambda x: x.rate), _median(r, lambda x: x.lost)) for name, r in results.items()}
    title = f"{plan.receivers} receivers, {plan.senders} senders, {plan.window} in flight each"
    return Chart(title, "deliveries a second", ("deliveries/s", "lost"), rows)


def _latency(peers: list[Peer], plan: Plan, rounds: int) -> Chart:
    results = _take_turns(peers, plan, rounds)
    rows = {
        name: (
            *(_median(r, lambda x, s=share: x.percentile(s) * 1e6) for share in (0.5, 0.99, 1.0)),  # type: ignore[misc]
            _median(r, lambda x: x.lost),
        )
        for name, r in results.items()
    }
    title = f"one message each {1000 * (plan.interval or 0):g} ms to {plan.receivers} receivers"
    return Chart(title, "microseconds", ("p50", "p99", "max", "lost"), rows)


def _many(peers: list[Peer], plan: Plan, rounds: int) -> Chart:
    rows: dict[str, tuple[float, ...]] = {}
    for peer in peers:
        for count in (plan.receivers, min(FEWER, plan.receivers)):
            rows[f"{peer.name}, {count:,}"] = _crowd(peer, replace(plan, receivers=count), rounds)
    columns = ("deliveries/s", "lost", "connect s", "KiB each")
    return Chart("many receivers", "deliveries a second", columns, rows)


def _crowd(peer: Peer, plan: Plan, rounds: int) -> tuple[float, ...]:
    results: list[Result] = []
    each: list[float] = []
    for _ in range(rounds):
        with running(peer) as (address, pid):
            before = memory(pid)
            results.append(run(address, peer.speech, plan))
            each.append((memory(pid) - before) / 1024 / (plan.receivers + plan.senders))
    figures = (lambda x: x.rate, lambda x: x.lost, lambda x: x.connect_s)
    return (*(_median(results, figure) for figure in figures), median(each))


def _startup(rounds: int) -> Chart:
    rows = {name: (seconds * 1000,) for name, seconds in startup.measure(rounds).items()}
    return Chart("whole processes", "milliseconds", ("ms",), rows)


def _take_turns(peers: list[Peer], plan: Plan, rounds: int) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            with running(peer) as (address, _pid):
                results[peer.name].append(run(address, peer.speech, plan))
    return results


def _median(results: list[Result], figure: Callable[[Result], float]) -> float:
    return median(map(figure, results))


_CHARTS = {
    Mode.throughput: _throughput,
    Mode.small_window: _throughput,
    Mode.latency: _latency,
    Mode.many: _many,
}

if __name__ == "__main__":
    typer.run(main)
