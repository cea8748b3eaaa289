"""Clients behind a line that delays, cuts, resets and swallows: each still sees and says everything once.

The form that runs by default is short. ``pytest -m long`` runs the one that takes a minute.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import running_server
from tests.proxy import FATES, Proxy
from tests.witness import Crowd, Witness, check_all, read_from_disk

ROOMS = ("lobby", "kitchen", "garden")
CLIENTS = 20
SILENCE = 1.5  # seconds without any answer, after which a client gives its line up
SEED = 20_250_502


def clients(port: int, chance: random.Random) -> list[Witness]:
    """Returns clients that all post, each in one room or several."""
    return [
        Witness(
            port,
            f"w{number}",
            chance.sample(ROOMS, chance.randint(1, len(ROOMS))),
            chance.getrandbits(32),
            pace=0.3,
            haste=0.05,
            silence=SILENCE,
        )
        for number in range(CLIENTS)
    ]


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_lossy_line(seconds: int, tmp_path: Path) -> None:
    seed = SEED + seconds
    sys.stderr.write(f"the seed is {seed}\n")
    with (
        running_server("--data", str(tmp_path), "--rate", "0") as server,
        Proxy(server.port, seed) as proxy,
        Crowd(clients(proxy.port, random.Random(seed))) as crowd,
    ):
        end = time.monotonic() + seconds
        crowd.wait_for(
            lambda: (
                time.monotonic() > end
                and all(proxy.fates[fate] for fate in (*FATES, "replaced"))
                and all(crowd.met(what) for what in ("resumed", "acked again"))
            ),
            "everything has happened that can",
            seconds + 60,
        )
        proxy.become_reliable()
        history = crowd.finish(server.port)
    sys.stderr.write(f"{dict(proxy.fates)}, {sum((witness.met for witness in crowd.witnesses), Counter())}\n")
    check_all(crowd.witnesses, history)
    assert read_from_disk(tmp_path) == history
