"""How long the command takes as a whole process, beside a bare Typer application of two commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import announced, started

BARE = """import typer
app = typer.Typer()
@app.command()
def serve(port: int = 12345) -> None: ...
@app.command()
def join(name: str = "bob") -> None: ...
app()
"""
BARE_APP = "a bare Typer app --help"
_CHATCTL = [sys.executable, "-m", "chatctl"]


def measure(rounds: int) -> dict[str, float]:
    """Returns, for each command, the median of its seconds; the bare application is first."""
    with tempfile.TemporaryDirectory() as directory:
        bare = Path(directory) / "bare.py"
        bare.write_text(BARE)
        timed: dict[str, Callable[[], float]] = {
            BARE_APP: lambda: _to_its_end([sys.executable, str(bare), "--help"]),
            "chatctl --help": lambda: _to_its_end([*_CHATCTL, "--help"]),
            "chatctl --version": lambda: _to_its_end([*_CHATCTL, "--version"]),
            "chatctl serve, until it listens": lambda: _until_it_listens(f"--data={directory}/data"),
            "the same, --ephemeral": lambda: _until_it_listens("--ephemeral"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(rounds):
            for name, measured in timed.items():
                seconds[name].append(measured())
    return {name: median(values) for name, values in seconds.items()}


def _to_its_end(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def _until_it_listens(option: str) -> float:
    begun = time.perf_counter()
    with started([*_CHATCTL, "serve", "--port=0", option], announces=True) as process:
        announced(process)
        return time.perf_counter() - begun
