"""Runs a load in a process of its own, so that nothing else this process does slows it down."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from tests.benchmarks.load import Plan, Result, Speech, run
from tests.benchmarks.signals import held_back


def run_apart(address: tuple[str, int], speech: Speech, plan: Plan, pid: int) -> Result:
    """Does what `load.run` does, in a child that is ended and waited for whatever happens.

    Raises:
        OSError: as `load.run`, or the child ended without a result.
        RuntimeError: as `load.run`.
    """
    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sending, address, speech, plan, pid), daemon=True)
    with ExitStack() as stack:
        stack.callback(receiving.close)
        with held_back():
            child.start()
            stack.callback(_end, child)
        sending.close()
        try:
            outcome: Result | OSError | RuntimeError = receiving.recv()
        except EOFError:
            raise ChildProcessError("the load ended without a result") from None
    if isinstance(outcome, Result):
        return outcome
    raise outcome


def _end(child: ForkProcess) -> None:
    child.terminate()
    child.join()


def _child(sending: Connection, address: tuple[str, int], speech: Speech, plan: Plan, pid: int) -> None:
    # Ctrl-C reaches the whole process group: the parent decides what it means, and ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        sending.send(run(address, speech, plan, pid))
    except (OSError, RuntimeError) as error:
        sending.send(error)
