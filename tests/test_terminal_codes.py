"""What a terminal is told, that nobody can tell it more, and who understands it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.client.display.codes import (
    KEEP_TITLE,
    MAX_BODY,
    MAX_TITLE,
    RESTORE_TITLE,
    RING,
    Abilities,
    abilities,
    notification,
    title,
    wraps_anew,
)
from chatctl.client.display.look import Notify

ALL, NONE = Abilities(True, True, True), Abilities(False, False, False)
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e]")
hostile = st.text(st.characters() | st.sampled_from("\x1b\x9b\x9c\x9d\x07\n\r;\\]"), max_size=300)


def test_what_is_told() -> None:
    assert RING == "\x07"
    assert title("(3) #lobby") == "\x1b]2;(3) #lobby\x07"
    assert notification(Notify.osc9, "ann", "hi; there") == "\x1b]9;ann: hi; there\x07"
    assert notification(Notify.osc777, "ann", "hi; there") == "\x1b]777;notify;ann;hi; there\x07"
    assert notification(Notify.off, "ann", "hi") == ""
    assert KEEP_TITLE == "\x1b[22;2t"
    assert RESTORE_TITLE.endswith("\x1b[23;2t")


def test_what_is_long_is_cut() -> None:
    assert title("x" * 500) == f"\x1b]2;{'x' * (MAX_TITLE - 1)}…\x07"
    assert title("x" * MAX_TITLE) == f"\x1b]2;{'x' * MAX_TITLE}\x07"
    told = notification(Notify.osc777, "t" * 500, "b" * 8000)
    assert told == f"\x1b]777;notify;{'t' * (MAX_TITLE - 1)}…;{'b' * (MAX_BODY - 1)}…\x07"


def test_a_semicolon_in_the_title_does_not_end_it() -> None:
    assert notification(Notify.osc777, "a;b", "c;d") == "\x1b]777;notify;a,b;c;d\x07"


@pytest.mark.parametrize("heading", ["4;1;50", "9;C:\\", "4"])
def test_no_title_makes_a_notification_something_else(heading: str) -> None:
    # ConEmu and others take a number and a semicolon for another command: a progress bar, a directory.
    assert not re.match(r"\x1b]9;\d+;", notification(Notify.osc9, heading, "1;2"))


@given(hostile, hostile)
def test_nothing_that_was_said_gets_out(heading: str, body: str) -> None:
    for told, start in (
        (title(body), "\x1b]2;"),
        (notification(Notify.osc9, heading, body), "\x1b]9;"),
        (notification(Notify.osc777, heading, body), "\x1b]777;notify;"),
    ):
        assert told.startswith(start)
        assert told.endswith("\x07")
        assert not CONTROLS.search(told[len(start) : -1])
        assert len(told) <= len(start) + MAX_TITLE + MAX_BODY + 3
        told.encode()


@pytest.mark.parametrize(
    "term",
    ["", "dumb", "linux", "linux-16color", "vt100", "vt220", "ansi", "cons25", "eterm-color", "unknown"],
)
def test_consoles_are_told_nothing(term: str) -> None:
    assert abilities(term, {}) == NONE


@pytest.mark.parametrize(
    "term",
    [
        *(
            "xterm",
            "xterm-256color",
            "xterm-kitty",
            "xterm-ghostty",
            "alacritty",
            "foot",
            "rxvt-unicode-256color",
        ),
        *("tmux-256color", "st-256color", "vte-256color"),
    ],
)
def test_terminals_are_told_all(term: str) -> None:
    assert abilities(term, {}) == ALL


def test_what_the_environment_tells() -> None:
    assert abilities("", {"WT_SESSION": "1"}) == ALL
    assert abilities("xterm-256color", {"VTE_VERSION": "6800"}) == ALL
    assert abilities("xterm-256color", {"VTE_VERSION": "4601"}) == Abilities(False, True, True)
    assert abilities("xterm-256color", {"VTE_VERSION": "5000"}) == Abilities(False, True, True)
    assert abilities("xterm-256color", {"VTE_VERSION": "x"}) == ALL
    assert abilities("screen-256color", {"TMUX": "/tmp/tmux-0/default,1,0"}) == ALL
    assert abilities("screen.xterm-256color", {"STY": "1.pts-0"}) == Abilities(False, True, True)


@pytest.mark.parametrize(
    ("environ", "wraps"),
    [
        ({}, False),
        ({"TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM_PROGRAM": "unheard-of"}, False),
        ({"VTE_VERSION": "7200"}, True),
        ({"TMUX": "/tmp/tmux-0/default,1,0"}, True),
    ],
)
def test_which_terminals_wrap_anew(environ: dict[str, str], wraps: bool) -> None:
    assert wraps_anew(environ) is wraps
