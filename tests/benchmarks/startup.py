"""How long the command takes as a whole process, beside a bare Typer application of two commands."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import announced, environment, started

BARE = """import typer
app = typer.Typer()
@app.command()
def serve(port: int = 12345) -> None: ...
@app.command()
def join(name: str = "bob") -> None: ...
app()
"""
BARE_APP = "a bare Typer app --help"
BARE_PROMPT = """import typer
import prompt_toolkit
app = typer.Typer()
@app.command()
def main() -> None: ...
app()
"""
_CHATCTL = [sys.executable, "-m", "chatctl"]


def measure(rounds: int) -> dict[str, float]:
    """Returns, for each command, the median of its seconds; the bare application is first."""
    with tempfile.TemporaryDirectory() as directory:
        bare, prompt = Path(directory, "bare.py"), Path(directory, "prompt.py")
        bare.write_text(BARE)
        prompt.write_text(BARE_PROMPT)
        timed: dict[str, Callable[[], float]] = {
            BARE_APP: lambda: _to_its_end([sys.executable, str(bare), "--help"]),
            "chatctl --help": lambda: _to_its_end([*_CHATCTL, "--help"]),
            "chatctl --version": lambda: _to_its_end([*_CHATCTL, "--version"]),
            "chatctl serve, until it listens": lambda: _until_it_listens(f"--data={directory}/data"),
            "the same, --ephemeral": lambda: _until_it_listens("--ephemeral"),
            "a bare Typer app that imports prompt_toolkit": lambda: _to_its_end(
                [sys.executable, str(prompt)]
            ),
            "chatctl join, until its prompt": lambda: _until_its_prompt(directory),
        }
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(rounds):
            for name, measured in timed.items():
                seconds[name].append(measured())
    return {name: median(values) for name, values in seconds.items()}


def _to_its_end(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment(), check=True)
    return time.perf_counter() - begun


def _until_it_listens(option: str) -> float:
    begun = time.perf_counter()
    with started([*_CHATCTL, "serve", "--port=0", option], announces=True) as process:
        announced(process)
        return time.perf_counter() - begun


def _until_its_prompt(home: str) -> float:
    """Measures in a terminal, with what is kept between runs in `home`."""
    env = environment() | {"XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home, "TERM": "xterm-256color"}
    with started([*_CHATCTL, "serve", "--port=0", "--ephemeral"], announces=True) as process:
        host, port = announced(process)
        master, slave = pty.openpty()
        begun = time.perf_counter()
        join = [*_CHATCTL, "join", f"{host}:{port}", "--name=bench"]
        with subprocess.Popen(join, stdin=slave, stdout=slave, stderr=slave, env=env) as client:
            os.close(slave)
            shown = b""
            while b"#lobby>" not in shown:
                shown += os.read(master, 1 << 16)
            taken = time.perf_counter() - begun
            client.kill()
        os.close(master)
        return taken
