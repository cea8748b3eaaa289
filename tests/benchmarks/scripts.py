"""What the commands for scripts take, as whole processes: many lines sent, many followed, and one message."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import announced, environment, started

LINES = 100_000
ROOM = "log"
BARE = """import typer
app = typer.Typer()
@app.command()
def main() -> None:
    pass
app()
"""
BARE_APP = "a bare Typer command that does nothing"
_CHATCTL = [sys.executable, "-m", "chatctl"]


def measure(rounds: int, lines: int = LINES) -> dict[str, float]:
    """Returns, for each thing to do, the median of its seconds; the bare command is first."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        bare = Path(directory) / "bare.py"
        bare.write_text(BARE)
        log = Path(directory) / "log"
        log.write_text(
            "".join(f"2026-11-24T14:03:05 app[{n}]: a line as logs have them\n" for n in range(lines))
        )
        for _ in range(rounds):
            for name, value in _measure_once(bare, log, lines).items():
                seconds.setdefault(name, []).append(value)
    return {name: median(values) for name, values in seconds.items()}


def _measure_once(bare: Path, log: Path, lines: int) -> dict[str, float]:
    """Measures with a server of its own, whose history is on disk and empty at first."""
    with tempfile.TemporaryDirectory() as data:
        command = [*_CHATCTL, "serve", "--port=0", "--rate=0", f"--data={data}"]
        with started(command, announces=True) as process:
            host, port = announced(process)
            chatctl = [*_CHATCTL, "{}", f"--server={host}:{port}", "--name=bench", f"--room={ROOM}"]
            return {
                BARE_APP: _timed(lambda: _run([sys.executable, str(bare)])),
                "chatctl send hello": _timed(lambda: _run([*_for(chatctl, "send"), "hello"])),
                f"chatctl send --split lines, {lines:,} lines": _timed(
                    lambda: _run([*_for(chatctl, "send"), "--split=lines", f"--file={log}"])
                ),
                f"chatctl tail --json, {lines:,} messages": _timed(
                    lambda: _follow([*_for(chatctl, "tail"), "--json", "--from=1"], lines)
                ),
            }


def _for(command: list[str], name: str) -> list[str]:
    return [name if word == "{}" else word for word in command]


def _timed(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _run(command: list[str]) -> None:
    quiet = subprocess.DEVNULL
    try:
        subprocess.run(command, env=environment(), stdin=quiet, stdout=quiet, check=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(str(error)) from None


def _follow(command: list[str], lines: int) -> None:
    """Reads until so many lines have come.

    Raises:
        RuntimeError: there are fewer.
    """
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=quiet, stdout=pipe) as process:
        assert process.stdout is not None
        read = sum(1 for _ in zip(range(lines), process.stdout, strict=False))
        process.terminate()
    if read < lines:
        raise RuntimeError(f"{read} messages were followed instead of {lines}")
