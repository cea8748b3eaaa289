"""What can be measured: each mode's loads, and the figures that are shown of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from tests.benchmarks import long_history, page, scripts, startup, storm
from tests.benchmarks.apart import run_apart
from tests.benchmarks.load import Plan, Result
from tests.benchmarks.peers import OWN, PEERS, PLAIN, SEALED, WEBSOCKET, Peer, running
from tests.benchmarks.report import Chart


class Mode(StrEnum):
    """What is measured."""

    throughput = "throughput"
    small_window = "small-window"
    latency = "latency"
    many = "many"
    tls = "tls"
    plain = "plain"
    websocket = "websocket"
    startup = "startup"
    history = "history"
    scripts = "scripts"
    storm = "storm"
    page = "page"
    all = "all"


@dataclass(frozen=True)
class Measurement:
    """How a mode loads the servers.

    Attributes:
        plans: the loads; each makes a chart.
        title: of the chart, with the plan's fields.
        unit: of the first figure.
        figures: what is shown of a result, by name; the first is drawn.
    """

    plans: tuple[Plan, ...]
    title: str
    unit: str
    figures: Mapping[str, Callable[[Result], float]]


_RATE: dict[str, Callable[[Result], float]] = {
    "deliveries/s": lambda result: result.rate,
    "lost": lambda result: result.lost,
}
_COMING_IN = _RATE | {
    "connect s": lambda result: result.connect_s,
    "KiB each": lambda result: result.memory_each / 1024,
}
_FLOOD = "{receivers:,} receivers, {senders} senders, {window} in flight each"
MEASUREMENTS = {
    Mode.throughput: Measurement((Plan(),), _FLOOD, "deliveries a second", _RATE),
    Mode.small_window: Measurement(
        (Plan(receivers=100, senders=8, messages=500, window=1),), _FLOOD, "deliveries a second", _RATE
    ),
    Mode.latency: Measurement(
        (Plan(senders=1, messages=500, interval=0.005),),
        "one message each {milliseconds:g} ms to {receivers:,} receivers",
        "microseconds, less is better",
        {
            "p50": lambda result: result.percentile(0.5) * 1e6,
            "p99": lambda result: result.percentile(0.99) * 1e6,
            "max": lambda result: result.percentile(1) * 1e6,
            "lost": lambda result: result.lost,
        },
    ),
    Mode.websocket: Measurement(
        (Plan(), Plan(receivers=1_000, messages=500)), _FLOOD, "deliveries a second", _COMING_IN
    ),
    Mode.tls: Measurement(
        (Plan(), Plan(receivers=1_000, messages=500)), _FLOOD, "deliveries a second", _COMING_IN
    ),
    Mode.plain: Measurement((Plan(),), _FLOOD, "deliveries a second", _COMING_IN),
    Mode.many: Measurement(
        (Plan(receivers=1_000, messages=500), Plan(receivers=10_000, messages=50)),
        _FLOOD,
        "deliveries a second",
        _COMING_IN,
    ),
}
_BESIDE = {Mode.tls: SEALED, Mode.plain: PLAIN, Mode.websocket: WEBSOCKET}


def measure(mode: Mode, peers: list[Peer], changes: Mapping[str, int], rounds: int) -> list[Chart]:
    """Returns the charts of one mode, whose plans are taken with `changes`.

    Raises:
        OSError: chatctl failed. What happens to others is in the chart.
        RuntimeError: chatctl failed.
    """
    if mode == Mode.startup:
        return [_startup(rounds)]
    if mode == Mode.history:
        return [_history(rounds, changes.get("messages", long_history.KEPT))]
    if mode == Mode.scripts:
        return [_scripts(rounds, changes.get("messages", scripts.LINES))]
    if mode == Mode.storm:
        return [_storm(rounds)]
    if mode == Mode.page:
        return [_page(rounds)]
    if mode in _BESIDE:
        peers = [PEERS[0], _BESIDE[mode]]
    measurement = MEASUREMENTS[mode]
    plans = [replace(plan, **changes) for plan in measurement.plans]
    # Plans that differed in what was changed would make the same chart.
    different = {plan.receivers: plan for plan in plans}.values()
    return [_compare(measurement, plan, peers, rounds) for plan in different]


def _compare(measurement: Measurement, plan: Plan, peers: list[Peer], rounds: int) -> Chart:
    results, failed = _take_turns(peers, plan, rounds)
    rows = {
        name: tuple(median(map(figure, measured)) for figure in measurement.figures.values())
        for name, measured in results.items()
    }
    title = measurement.title.format(**vars(plan), milliseconds=1000 * (plan.interval or 0))
    return Chart(title, measurement.unit, tuple(measurement.figures), rows, failed)


def _take_turns(peers: list[Peer], plan: Plan, rounds: int) -> tuple[dict[str, list[Result]], dict[str, str]]:
    """Returns the results of each server, and of those that failed why; these are not tried again."""
    results: dict[str, list[Result]] = {peer.name: [] for peer in peers}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for peer in [peer for peer in peers if peer.name in results]:
            try:
                results[peer.name].append(_measure_once(peer, plan))
            except (OSError, RuntimeError) as error:
                if peer.name == OWN:
                    raise
                failed[peer.name] = str(error)
                del results[peer.name]
    return results, failed


def _measure_once(peer: Peer, plan: Plan) -> Result:
    with running(peer) as (address, pid):
        return run_apart(address, peer.speech, plan, pid)


def _startup(rounds: int) -> Chart:
    seconds = startup.measure(rounds)
    bare = seconds[startup.BARE_APP]
    rows = {name: (1000 * value, value / bare) for name, value in seconds.items()}
    columns = ("ms", "to the bare app")
    return Chart("whole processes", "milliseconds, less is better", columns, rows, compared=False)


def _scripts(rounds: int, lines: int) -> Chart:
    seconds = scripts.measure(rounds, lines)
    rows = {name: (value, value / seconds[scripts.BARE_APP]) for name, value in seconds.items()}
    columns = ("s", "to the bare command")
    return Chart("commands for scripts", "seconds, less is better", columns, rows, compared=False)


def _history(rounds: int, kept: int) -> Chart:
    rows = long_history.measure(rounds, kept)
    title = f"a history of {kept:,} messages beside an empty one"
    return Chart(title, "less is better", ("empty", "full"), rows, compared=False)


def _storm(rounds: int) -> Chart:
    columns = ("p50", "p99", "max")
    title = "a message to another one, while others log in"
    return Chart(title, "milliseconds, less is better", columns, storm.measure(rounds), compared=False)


def _page(rounds: int) -> Chart:
    title = "the page in Chromium, after it was asked for"
    return Chart(title, "milliseconds, less is better", page.COLUMNS, page.measure(rounds), compared=False)
