"""The server is killed, or told to stop, under load: nothing that was acked is lost, nothing is there twice.

The forms that run by default are short. ``pytest -m long`` runs the long ones.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import RunningServer, fixed_port, running_server
from tests.witness import Crowd, Witness, check_all, check_kept, read_from_disk

ROOMS = ("lobby", "kitchen", "garden")
POSTERS = 6
LISTENERS = 6
MOST_POSTS = 1_000  # acked between two kills
STOP_CLIENTS = 100
STOP_POSTERS = 10
STOP_SECONDS = 15.0  # 5 are promised, on a machine that is not busy
SEED = 20_250_501


@contextmanager
def serving(port: int, data: Path) -> Iterator[RunningServer]:
    with running_server("--port", str(port), "--data", str(data), "--rate", "0") as server:
        yield server


def check_files(crowd: Crowd, data: Path, copy: Path) -> None:
    """What everybody saw so far is on the disk; `data` stays as the server left it."""
    shutil.copytree(data, copy)
    check_kept(crowd.witnesses, read_from_disk(copy))
    shutil.rmtree(copy)


def posters_and_listeners(port: int, posters: int, listeners: int, chance: random.Random) -> list[Witness]:
    """Returns witnesses, each in one room or several."""
    return [
        Witness(
            port,
            f"w{number}",
            chance.sample(ROOMS, chance.randint(1, len(ROOMS))),
            chance.getrandbits(32),
            pace=0.005 if number < posters else None,
            haste=0.02,
        )
        for number in range(posters + listeners)
    ]


@pytest.mark.parametrize(
    "rounds", [4, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_killed_under_load(rounds: int, tmp_path: Path) -> None:
    seed = SEED + rounds
    chance = random.Random(seed)
    port, data = fixed_port(), tmp_path / "data"
    sys.stderr.write(f"the seed is {seed}\n")
    with Crowd(posters_and_listeners(port, POSTERS, LISTENERS, chance)) as crowd:
        for _ in range(rounds):
            with serving(port, data) as server:
                crowd.wait_for_posts(chance.randrange(MOST_POSTS))
                server.kill()
            crowd.wait_for_the_end()
            check_files(crowd, data, tmp_path / "copy")
        with serving(port, data):
            history = crowd.finish(port)
    sys.stderr.write(f"{crowd.settled()} posts, {crowd.met('acked again')} acked again\n")
    check_all(crowd.witnesses, history)
    assert read_from_disk(data) == history


def test_told_to_stop_under_load(tmp_path: Path) -> None:
    port, data = fixed_port(), tmp_path / "data"
    with Crowd(
        posters_and_listeners(port, STOP_POSTERS, STOP_CLIENTS - STOP_POSTERS, random.Random(SEED))
    ) as crowd:
        with serving(port, data) as server:
            crowd.wait_for_posts(500)
            begun = time.monotonic()
            server.proc.send_signal(signal.SIGTERM)
            code = server.proc.wait(STOP_SECONDS)
            sys.stderr.write(f"stopped within {time.monotonic() - begun:.1f} seconds\n")
            assert code == 0
        crowd.wait_for_the_end()
        check_files(crowd, data, tmp_path / "copy")
        with serving(port, data):
            history = crowd.finish(port)
    assert crowd.met("shutting-down") > STOP_CLIENTS // 2
    check_all(crowd.witnesses, history)
    assert read_from_disk(data) == history
