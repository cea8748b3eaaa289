"""Slash commands: what a line means, what is wrong with it, and what it may become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl import commands
from chatctl.commands import COMMANDS, Action, UsageError, complete, help_text, parse
from chatctl.messages import Role

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
        ("/register", commands.Register()),
        ("/login", commands.Login()),
        ("/login ann", commands.Login("ann")),
        ("/invite", commands.Invite()),
        ("/invite 7d", commands.Invite(604_800)),
        ("/kick eve", commands.Moderate("kick", "eve")),
        ("/kick eve 2h is enough", commands.Moderate("kick", "eve", None, "2h is enough")),
        ("/ban eve", commands.Moderate("ban", "eve")),
        ("/ban eve 2h", commands.Moderate("ban", "eve", 7200)),
        ("/ban eve 2h spam and lies", commands.Moderate("ban", "eve", 7200, "spam and lies")),
        ("/ban eve spam and lies", commands.Moderate("ban", "eve", None, "spam and lies")),
        ("/ban 10.0.0.0/8 4w", commands.Moderate("ban", "10.0.0.0/8", 2_419_200)),
        ("/unban 2001:db8::/32", commands.Moderate("unban", "2001:db8::/32")),
        ("/unban eve 2h were enough", commands.Moderate("unban", "eve", None, "2h were enough")),
        ("/banned", commands.Banned()),
        ("/mute eve 10m", commands.Moderate("mute", "eve", 600)),
        ("/unmute eve", commands.Moderate("unmute", "eve")),
        ("/unmute eve said sorry", commands.Moderate("unmute", "eve", None, "said sorry")),
        ("/op eve", commands.Moderate("op", "eve")),
        ("/deop eve", commands.Moderate("deop", "eve")),
        ("/allow eve", commands.Moderate("allow", "eve")),
        ("/disallow eve", commands.Moderate("disallow", "eve")),
        ("/redact #17", commands.Redact("#17")),
        ("/redact eve that was rude", commands.Redact("eve", "that was rude")),
        ("/topic-lock", commands.TopicLock()),
        ("/topic-lock on", commands.TopicLock("on")),
        ("/mode", commands.Mode()),
        ("/mode read-only", commands.Mode("read-only")),
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
        ("/nick ann smith", "/nick NAME: there is a word too many"),
        ("/me", "/me TEXT: needs a text"),
        ("/msg", "/msg NAME TEXT: needs a name"),
        ("/msg bob", "/msg NAME TEXT: needs a text"),
        ("/reply", "/reply TEXT: needs a text"),
        ("/join", "/join ROOM: needs a room"),
        ("/who here there", "/who [ROOM]: there is a word too many"),
        ("/kick", "/kick NAME [REASON]: needs a name"),
        ("/ban", "/ban WHOM [TIME] [REASON]: needs a name, an address, or a range of addresses"),
        # It would be for good, and the time would be the reason.
        ("/ban eve 10min", "/ban WHOM [TIME] [REASON]: 10min is no time like 30m, 12h or 90d"),
        ("/mute eve 0s x", "/mute NAME [TIME] [REASON]: 0s is no time like 30m, 12h or 90d"),
        ("/invite soon", "/invite [TIME]: soon is no time like 30m, 12h or 90d"),
        (
            "/ban eve 9999w",
            "/ban WHOM [TIME] [REASON]: 9999w is more than ten years; leave it out for good",
        ),
        ("/redact", "/redact WHAT [REASON]: needs the number of a message, or a name"),
        ("/mode secret", "/mode: one of invite-only, public, hidden, shown, read-only, writable"),
        ("/topic-lock maybe", "/topic-lock: one of on, off"),
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


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("/login ann correct horse", commands.Login("ann")),
        ("/register correct horse", commands.Register()),
        ("/REGISTER correct", commands.Register()),
    ],
)
def test_a_password_on_the_line_is_left_out(line: str, action: Action) -> None:
    assert parse(line) == action


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("/login", True),
        ("/login ann secret", True),
        ("  /Register secret", True),
        ("/loginsecret", True),
        ("//login", False),
        ("/log", False),
        ("how do I /login", False),
    ],
)
def test_which_lines_may_hold_a_password(line: str, secret: bool) -> None:
    assert commands.is_secret(line) is secret


@pytest.mark.parametrize(
    ("role", "more"),
    [
        ("guest", set()),
        ("member", set()),
        (
            "moderator",
            {
                *("/invite", "/kick", "/ban", "/unban", "/banned", "/mute", "/unmute", "/allow"),
                *("/disallow", "/topic-lock", "/mode"),
            },
        ),
        ("owner", {"/op", "/deop"}),
    ],
)
def test_each_role_sees_what_it_can_use(role: Role, more: set[str]) -> None:
    shown = {line.split()[0] for line in help_text(role).splitlines()}
    below: dict[Role, Role] = {"member": "guest", "moderator": "member", "owner": "moderator"}
    if role in below:
        assert shown - {line.split()[0] for line in help_text(below[role]).splitlines()} == more
    else:
        assert not shown & {"/invite", "/kick", "/op"}
        assert "/register" in shown
    offered = {choice.strip() for choice in complete("/", [], [], role=role).choices}
    assert offered == shown - {"//TEXT"}


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
        ("/m", ["/me ", "/mode ", "/msg ", "/mute "]),
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
        ("/kick b", ["bob "]),
        ("/ban bob 2h b", ["bob "]),
        ("/mode hid", ["hidden"]),
        ("/topic-lock ", ["off", "on"]),
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
