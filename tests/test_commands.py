"""Slash commands: what a line means, what is wrong with it, and what it may become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl import commands
from chatctl.commands import COMMANDS, Action, UsageError, complete, help_text, parse

NAMES = ["ann", "Anna", "bob"]
ROOMS = ["lobby", "dev"]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hello", commands.Say("hello")),
        ("  two  spaces ", commands.Say("  two  spaces ")),
        ("two\nlines", commands.Say("two\nlines")),
        (" /me waves", commands.Say(" /me waves")),
        ("//etc/hosts", commands.Say("/etc/hosts")),
        ("//", commands.Say("/")),
        ("exit now", commands.Say("exit now")),
        ("Exit", commands.Say("Exit")),
        ("exit", commands.Quit()),
        (" exit ", commands.Quit()),
        ("/quit", commands.Quit()),
        ("/quit bye all", commands.Quit()),
        ("/HELP", commands.Help()),
        ("/nick bob", commands.Nick("bob")),
        ("/me  waves  twice ", commands.Me("waves  twice")),
        ("/me\twaves", commands.Me("waves")),
        ("/msg bob hi there", commands.Msg("bob", "hi there")),
        ("/Msg  bob   /me", commands.Msg("bob", "/me")),
        ("/msg bob one\ntwo", commands.Msg("bob", "one\ntwo")),
        ("/reply sure", commands.Reply("sure")),
        ("/who", commands.Who()),
        ("/who #dev", commands.Who("#dev")),
        ("/rooms", commands.Rooms()),
        ("/join dev", commands.Join("dev")),
        ("/part", commands.Part()),
        ("/part dev ", commands.Part("dev")),
        ("/topic", commands.Topic()),
        ("/topic all about cats", commands.Topic("all about cats")),
        ("/clear", commands.Clear()),
    ],
)
def test_a_line_means_one_thing(line: str, action: Action) -> None:
    assert parse(line) == action


@pytest.mark.parametrize("line", ["", " ", "\t", "\n"])
def test_a_blank_line_means_nothing(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/foo", "there is no /foo; /help lists the commands"),
        ("/foo bar", "there is no /foo; /help lists the commands"),
        ("/", "there is no /; /help lists the commands"),
        ("/ me", "there is no /; /help lists the commands"),
        ("/\x1b[2J", "there is no /\\x1b[2J; /help lists the commands"),
        ("/nick", "/nick NAME: needs a name"),
        ("/nick  ", "/nick NAME: needs a name"),
        ("/nick ann smith", "/nick NAME: a name has no spaces"),
        ("/me", "/me TEXT: needs a text"),
        ("/msg", "/msg NAME TEXT: needs a name"),
        ("/msg bob", "/msg NAME TEXT: needs a text"),
        ("/reply", "/reply TEXT: needs a text"),
        ("/join", "/join ROOM: needs a room"),
        ("/who here there", "/who [ROOM]: a room has no spaces"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert str(caught.value) == error


@given(st.text())
def test_any_line_is_an_action_nothing_or_one_clear_line(line: str) -> None:
    try:
        action = parse(line)
    except UsageError as error:
        assert line.startswith("/")
        assert str(error).isprintable() or "\n" not in str(error)
    else:
        assert (action is None) == (not line.strip())


def test_help_has_every_command_once() -> None:
    lines = help_text().splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [f"/{command.name}" for command in COMMANDS]
    assert all(command.help in line for command, line in zip(COMMANDS, lines, strict=False))
    assert all(len(line) <= 78 for line in lines)


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("/he", ["/help "]),
        ("/HE", ["/help "]),
        ("/m", ["/me ", "/msg "]),
        ("/nope ", []),
        ("/msg b", ["bob "]),
        ("/msg ", ["Anna ", "ann ", "bob "]),
        ("/msg bob a", ["Anna ", "ann "]),
        ("/msg bob ", []),
        ("/me hugs b", ["bob "]),
        ("/nick b", []),
        ("/join ", ["dev", "lobby"]),
        ("/join #d", ["#dev"]),
        ("/join dev l", []),
        ("/help x", []),
        ("b", ["bob: "]),
        ("hello b", ["bob "]),
        ("/ b", []),
        ("//b", []),
        ("hello ", []),
        ("", []),
    ],
)
def test_a_word_is_completed(line: str, choices: list[str]) -> None:
    assert complete(line, NAMES, ROOMS).choices == choices


def test_only_the_last_word_is_replaced() -> None:
    assert complete("hello b", NAMES, ROOMS).start == len("hello ")


def test_what_choices_have_in_common() -> None:
    assert complete("/m", NAMES, ROOMS).common == "/m"
    assert complete("x", ["xavier", "xaver"], []).common == "xav"
    assert complete("zz", NAMES, ROOMS).common == ""
