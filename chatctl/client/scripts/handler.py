"""Runs a command for each message, without any shell: what others said is data and nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from chatctl.client.complaint import complain
from chatctl.client.signals import Interrupted
from chatctl.errors import ChatError
from chatctl.messages import Msg, Told
from chatctl.text import MAX_TEXT

GRACE_SECONDS = 2.0  # for a command to end when it is told to

_SECRETS = {b"CHATCTL_KEY", b"CHATCTL_PASSWORD"}  # which are none of its business


class Handler:
    """Runs one command.

    Args:
        command: the program, which can be found, and its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._environment = {key: value for key, value in os.environb.items() if key not in _SECRETS}

    def run(self, message: Msg | Told) -> None:
        """Runs the command for a message, and waits for its end; that it fails is told.

        Raises:
            ChatError: the command cannot be started; the message was not handled.
            Interrupted: the command was told to end.
        """
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
                self._command,
                bufsize=0,  # nothing is left to be written when it is interrupted
                stdin=subprocess.PIPE,
                env=self._environment | _variables(message),
            )
        except OSError as error:
            raise ChatError(f"cannot run {self._command[0]}: {error.strerror}") from None
        with process:
            try:
                process.communicate(message.text.encode(errors="replace"))
            except Interrupted as interruption:
                _end(process)
                interruption.handled = process.returncode == 0
                raise
        if process.returncode:
            complain(f"{self._command[0]} {_how_it_ended(process.returncode)} for {_which(message)}")


def _variables(message: Msg | Told) -> dict[bytes, bytes]:
    room, id_ = (message.room, str(message.id)) if isinstance(message, Msg) else ("", "")
    values = {
        "NAME": message.name,
        "ROOM": room,
        "TEXT": message.text,
        "ID": id_,
        "AT": str(message.at),
        "KIND": message.kind,
    }
    return {b"CHATCTL_" + key.encode(): _value(value) for key, value in values.items()}


def _value(text: str) -> bytes:
    """Returns what an environment can hold, whatever a server sends."""
    return text.replace("\0", "").encode(errors="replace")[:MAX_TEXT]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    process.kill()


def _how_it_ended(code: int) -> str:
    return f"failed with exit code {code}" if code > 0 else f"was ended by signal {-code}"


def _which(message: Msg | Told) -> str:
    if isinstance(message, Told):
        return f"a private message of {message.name}"
    return f"message {message.id} of #{message.room}"
