"""The benchmark measures what it says, with numbers too small to take long. No speed is asserted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import load
from tests.benchmarks.load import Plan, Result, Speech, run
from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import Chart, draw
from tests.helpers import ROOT, SECONDS, environment, running_server, wait_for

FEW = ["--receivers", "3", "--senders", "2", "--messages", "20", "--rounds", "1", "--json"]


def benchmark(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks", *args]
    env = environment(PYTHONWARNINGS="", COLUMNS="200")
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("mode", ["throughput", "small-window", "latency", "many"])
def test_nothing_is_lost_and_the_picture_is_drawn(mode: str, tmp_path: Path) -> None:
    peers = ["chatctl"]
    if shutil.which("ncat") or os.environ.get("CI") == "true":
        peers.append("ncat --chat")
    picture = tmp_path / "picture.svg"
    done = benchmark("--mode", mode, "--only", ",".join(peers), *FEW, "--picture", str(picture))
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout).values()
    assert list(rows) == peers
    for figures in rows.values():
        assert figures["lost"] == 0
        assert all(figure > 0 for name, figure in figures.items() if name not in ("lost", "KiB each"))
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("mode", "other"),
    [
        ("tls", "chatctl --tls required"),
        ("plain", "chatctl, plain text"),
        ("websocket", "chatctl, WebSockets"),
    ],
)
def test_other_ways_in_are_measured_beside_the_usual_one(mode: str, other: str, tmp_path: Path) -> None:
    done = benchmark("--mode", mode, *FEW, "--picture", str(tmp_path / "picture.svg"))
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout).values()
    assert list(rows) == ["chatctl", other]
    for figures in rows.values():
        assert figures["lost"] == 0
        assert figures["deliveries/s"] > 0 < figures["connect s"]


def test_a_long_history_is_measured_beside_an_empty_one(tmp_path: Path) -> None:
    few = ["--messages", "2000", "--rounds", "1", "--json", "--picture", str(tmp_path / "picture.svg")]
    done = benchmark("--mode", "history", *few)
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout).values()
    assert len(rows) == 5
    assert all(figures["empty"] > 0 < figures["full"] for figures in rows.values())


def test_commands_for_scripts_are_measured(tmp_path: Path) -> None:
    few = ["--messages", "500", "--rounds", "1", "--json", "--picture", str(tmp_path / "picture.svg")]
    done = benchmark("--mode", "scripts", *few)
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout).values()
    assert len(rows) == 4
    assert all(figures["s"] > 0 for figures in rows.values())


def test_the_page_is_measured(tmp_path: Path) -> None:
    if not shutil.which("chromium") and os.environ.get("CI") != "true":
        pytest.skip("chromium is not installed")
    done = benchmark("--mode", "page", "--rounds", "1", "--json", "--picture", str(tmp_path / "picture.svg"))
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout).values()
    assert len(rows) == 2
    for figures in rows.values():
        assert 0 < figures["parsed"] <= figures["usable"]
        assert figures["painted"] > 0


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    done = benchmark("--only", "nobody", "--picture", str(tmp_path / "picture.svg"))
    assert done.returncode == 2
    assert "there is no nobody" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_process_is_left_when_it_is_stopped(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--only", "chatctl", "--rounds", "1000"]
    process = subprocess.Popen(
        [*command, "--picture", str(tmp_path / "picture.svg")],
        cwd=ROOT, env=environment(PYTHONWARNINGS=""), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        started = wait_for(lambda: len(ids := children.read_text().split()) == 2 and ids, "server and load")
    finally:
        process.send_signal(number)
        code = process.wait(SECONDS)
    assert code != 0
    assert started
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_what_is_lost_or_doubled_is_counted() -> None:
    result = Result(0, 2, wanted=10, seen=[7, 12, 10])
    assert (result.lost, result.doubled, result.rate) == (3, 2, 14.5)


def test_every_delivery_is_counted() -> None:
    with running_server("--rate", "0") as server:
        result = run((server.host, server.port), PEERS[0].speech, Plan(5, 2, 100, 3), server.pid)
    with running_server("--rate", "0") as server:  # Another one, where nobody has these names yet.
        slow = run((server.host, server.port), PEERS[0].speech, Plan(5, 1, 10, interval=0.001))
    assert (result.wanted, result.seen) == (200, [200] * 5)
    assert (slow.wanted, slow.seen, len(slow.latencies)) == (10, [10] * 5, 50)
    assert 0 < slow.percentile(0.5) <= slow.percentile(1)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "CONNECT_SECONDS", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TimeoutError, match="only 0 clients"),
    ):
        run(silent.getsockname(), Speech(ready=b"welcome"), Plan(1, 1, 1))


def test_a_chart_without_results_can_be_drawn(tmp_path: Path) -> None:
    chart = Chart("a < b", "seconds", ("s",), {}, {"other": "closed"})
    draw([chart], tmp_path / "picture.svg")
    assert "a < b, seconds" in "".join(ElementTree.parse(tmp_path / "picture.svg").getroot().itertext())
    assert chart.as_json() == {"other": {"failed": "closed"}}
