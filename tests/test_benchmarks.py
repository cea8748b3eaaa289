"""The benchmark measures what it says, with numbers too small to take long. No speed is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.load import Plan, Result, run
from tests.benchmarks.peers import PEERS
from tests.helpers import ROOT, environment, running_server

FEW = ["--receivers", "3", "--senders", "2", "--messages", "20", "--rounds", "1", "--json"]


@pytest.mark.parametrize("peer", ["chatctl", "ncat --chat"])
@pytest.mark.parametrize("mode", ["throughput", "small-window", "latency", "many"])
def test_nothing_is_lost_and_the_picture_is_drawn(mode: str, peer: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    command = [sys.executable, "-m", "tests.benchmarks", "--mode", mode, "--only", peer, *FEW]
    done = subprocess.run(
        [*command, "--picture", str(picture)],
        cwd=ROOT, env=environment(PYTHONWARNINGS=""), check=True, capture_output=True, text=True,
    )  # fmt: skip
    (rows,) = json.loads(done.stdout).values()
    assert rows
    for name, figures in rows.items():
        assert name.startswith(peer)
        assert figures["lost"] == 0
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_what_is_lost_is_counted() -> None:
    assert Result(0, 1, wanted=10, delivered=7).lost == 3


def test_every_delivery_is_counted() -> None:
    with running_server("--rate", "0") as server:
        result = run((server.host, server.port), PEERS[0].speech, Plan(5, 2, 100, 3))
        slow = run((server.host, server.port), PEERS[0].speech, Plan(5, 1, 10, interval=0.001))
    assert (result.wanted, result.delivered) == (1000, 1000)
    assert (slow.wanted, slow.delivered, len(slow.latencies)) == (50, 50, 50)
    assert 0 < slow.percentile(0.5) <= slow.percentile(1)
