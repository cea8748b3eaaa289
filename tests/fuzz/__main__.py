"""Looks for bytes that break a promise: ``python -m tests.fuzz TARGET --seconds N``.

Needs ``pip install '.[fuzz]'``. What is found is printed, and belongs into a test of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["chatctl"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
LONGEST = 20_000  # bytes: more than one frame of a client may have
SLOW_SECONDS = 10
MEGABYTES = 2_048


def main() -> None:
    """Runs one target, from its corpus on, for some seconds; ends with an exit code above 0 if it breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="how long to look")
    parser.add_argument("--keep", type=Path, help="directory for inputs that make the code do new things")
    args = parser.parse_args()
    atheris.Setup(_options(args.target, args.seconds, args.keep), _shown(args.target))
    atheris.Fuzz()


def _options(target: str, seconds: int, keep: Path | None) -> list[str]:
    """Returns a command line for libFuzzer, which writes into the first directory, if there is one."""
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
    # What OpenSSL and msgspec do is not seen: without the seeds they would never get far.
    options = [*limits, f"-max_len={LONGEST}", "-keep_seed=1", "-verbosity=0", "-print_final_stats=1"]
    corpus = CORPUS / target
    if keep:
        return [sys.argv[0], *options, f"-artifact_prefix={keep}/", str(keep), str(corpus)]
    seeds = ",".join(str(path) for path in sorted(corpus.iterdir()))
    return [sys.argv[0], *options, f"-exact_artifact_path={os.devnull}", f"-seed_inputs={seeds}"]


def _shown(target: str) -> Callable[[bytes], None]:
    check = TARGETS[target]

    def run(data: bytes) -> None:
        try:
            check(data)
        except BaseException:
            print(f"{target} breaks with {data!r}", file=sys.stderr)
            raise

    return run


if __name__ == "__main__":
    main()
