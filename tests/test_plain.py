"""Plain text without a network: what is typed, what is asked, and what is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl import commands
from chatctl.commands import COMMANDS
from chatctl.framing import Fault
from chatctl.messages import (
    AskHistory,
    Error,
    Frame,
    Hello,
    History,
    Join,
    Leave,
    Login,
    Msg,
    Notice,
    Part,
    Presence,
    Redact,
    Register,
    Renamed,
    Role,
    RoomState,
    Say,
    SetTopic,
    Tell,
    Told,
    Topic,
    Who,
)
from chatctl.server.dialects.plain import Plain
from chatctl.server.dialects.requests import MISSING, request_of
from chatctl.server.dialects.typed import MAX_LINE, TypedLines
from chatctl.server.dialects.wording import encode
from tests.fuzz.targets import check_lines

DONT, DO, WONT, WILL = b"\xff\xfe", b"\xff\xfd", b"\xff\xfc", b"\xff\xfb"
BINARY, ECHO = b"\x00", b"\x01"


class Ann:
    """Somebody who is in."""

    name = "ann"

    def __init__(self, *rooms: str, role: Role = "member") -> None:
        self.rooms = dict.fromkeys(rooms or ("lobby",))
        self.role: Role = role


def admitted(ann: Ann | None = None) -> Plain:
    """Returns a dialect that somebody has come in by."""
    dialect = Plain()
    dialect.feed(b"ann\n")
    dialect.admitted(ann or Ann())
    dialect.pending()
    return dialect


def typed(*lines: str) -> list[Any]:
    """Returns what lines ask for, of somebody who is in."""
    return [*admitted().feed("".join(f"{line}\n" for line in lines).encode())]


def refused(dialect: Plain, code: str, **keys: Any) -> list[Any] | None:
    frames = dialect.refused(Error(code=code, text=f"it is {code}", fatal=True, **keys))
    return None if frames is None else [*frames]


def shown(*frames: Frame) -> list[str]:
    """Returns the lines that frames are shown as."""
    *lines, rest = encode(frames).decode().split("\n")
    assert not rest
    return lines


def msg(text: str, room: str = "lobby", name: str = "bob", kind: Any = "text") -> Msg:
    return Msg(7, 1_700_000_000_000, room, name, text, kind)


# Typing


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo\r\0three\rfour\n", ["one", "two", "three", "four"]),
        (b"one\r\r\n\n", ["one", "", ""]),
        (b"helo\blo\n", ["hello"]),
        (b"a\x7f\x7f\x7fb\n", ["b"]),
        ("né\b\be\n".encode(), ["e"]),
        (b"\xa9\xa9\b\n", [""]),
        (b"all wrong\x15right\n", ["right"]),
        (b"a\0b\n", ["ab"]),
        (b"caf\xe9\xff\n", ["caf\\xe9\\xff"]),
        (b"\x1b[A\x9b\n", ["\\x1b[A\\x9b"]),
        ("\x85\n".encode(), ["\\x85"]),
        (b"a\tb\n", ["a\tb"]),
        ("\N{RIGHT-TO-LEFT MARK}\n".encode(), ["\N{RIGHT-TO-LEFT MARK}"]),
        (b"x" * MAX_LINE + b"\n", ["x" * MAX_LINE]),
        (b"x" * (MAX_LINE + 1) + b"\nnext\n", [None, "next"]),
        (b"x" * (MAX_LINE + 1) + b"\b\b\nnext\n", [None, "next"]),
        (b"x" * (MAX_LINE + 1) + b"\x15short\n", ["short"]),
        (b"no end", []),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_lines(data: bytes, lines: list[str | None]) -> None:
    assert TypedLines().feed(data) == lines
    reader = TypedLines()
    assert [line for place in range(len(data)) for line in reader.feed(data[place : place + 1])] == lines


def test_the_last_line_needs_no_end() -> None:
    reader = TypedLines()
    assert reader.feed(b"last") == []
    assert reader.end() == ["last"]
    assert reader.end() == []


# Telnet


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (WILL + b"\x1f", DONT + b"\x1f"),
        (DO + b"\x03", WONT + b"\x03"),
        (DO + ECHO, WONT + ECHO),
        (WILL + BINARY + WILL + BINARY, b""),
        (DO + BINARY, WONT + BINARY),
        (WONT + b"\x1f" + DONT + b"\x03", b""),
        (b"\xff\xfa\x1f\0\x50\xff\xff\n\xff\xf0", b""),
        (b"\xff\xf1\xff\xf4\xff\xf6", b""),
        (DO + b"\xff", WONT + b"\xff"),
        (WILL + b"\x01" + WILL + b"\x03" + DO + b"\x18", DONT + b"\x01" + DONT + b"\x03" + WONT + b"\x18"),
    ],
    ids=repr,
)
def test_telnet_is_asked_for_bytes_as_they_are_and_refused_all_else(data: bytes, answers: bytes) -> None:
    dialect = admitted()
    frames: list[Any] = []
    said = b""
    for place in range(len(data)):
        frames += dialect.feed(data[place : place + 1])
        said += dialect.pending()
    asked = DO + BINARY if set(data) & {WILL[1], WONT[1], DO[1], DONT[1]} else b""
    assert (frames, said) == ([], asked + answers)
    assert dialect.feed(b"hello\r\n") == [Say("hello")]


def test_bytes_of_telnet_within_a_line() -> None:
    assert typed_bytes(b"a\xff\xffb\xff\xf7c\n") == ["a\\xffc"]
    assert typed_bytes(b"wrong\xff\xf8right\n") == ["right"]
    assert typed_bytes(b"\xffabc\n") == ["\\xffabc"]


def typed_bytes(data: bytes) -> list[str]:
    return [frame.text for frame in admitted().feed(data) if isinstance(frame, Say)]


def test_a_password_is_not_shown_by_who_knows_telnet() -> None:
    dialect = Plain()
    dialect.feed(WILL + b"\x1fann\r\n")
    assert dialect.pending() == DO + BINARY + DONT + b"\x1f"
    assert refused(dialect, "auth-required", wants="password") == []
    assert dialect.pending() == WILL + ECHO + b"- it is auth-required\npassword: "
    (hello,) = dialect.feed(DO + ECHO + b"secret\r\n")
    assert isinstance(hello, Hello)
    assert (hello.name, hello.password) == ("ann", "secret")
    assert dialect.pending() == WONT + ECHO + b"\r\n"
    dialect.admitted(Ann())
    assert dialect.pending() == b""


def test_a_line_that_is_not_ended_is_said_by_a_pipe_and_not_by_telnet() -> None:
    for opening, said in ((b"", [Say("hel")]), (WONT + ECHO, [])):
        dialect = admitted()
        assert dialect.feed(opening + b"hel") == []
        assert dialect.feed(b"") == said
        assert dialect.feed(b"") == []


def test_who_knows_no_telnet_is_sent_none_of_it() -> None:
    dialect = admitted()
    dialect.feed(b"/login\n")
    assert dialect.pending() == b"password: "
    assert dialect.feed(b"secret\n") == [Login("secret")]
    assert dialect.pending() == b""


# Coming in


def test_a_name_is_asked_for_and_what_is_behind_it_waits() -> None:
    dialect = Plain()
    assert dialect.pending() == b"name: "
    assert dialect.pending() == b""
    (hello,) = dialect.feed(b" ann \nhello\nexit\n")
    assert isinstance(hello, Hello)
    assert hello.name == "ann"
    assert dialect.feed(b"more\n") == []
    assert dialect.admitted(Ann()) == [Say("hello"), Leave(), Say("more")]
    assert dialect.pending() == b""


def test_a_blank_answer_is_asked_again() -> None:
    dialect = Plain()
    dialect.pending()
    assert dialect.feed(b"\r\n\n") == []
    assert dialect.pending() == b"name: "


def test_what_was_to_be_said_by_a_name_that_is_refused_is_no_name() -> None:
    dialect = Plain()
    dialect.feed(b"ann\nhello\n")
    assert refused(dialect, "name-taken") == []
    assert dialect.pending() == b"! it is name-taken\nname: "
    (hello,) = dialect.feed(b"bob\n")
    assert isinstance(hello, Hello)
    assert hello.name == "bob"


def test_whoever_was_to_leave_then_leaves_unsaid() -> None:
    dialect = Plain()
    dialect.feed(b"ann\nhello\nexit\n")
    (left,) = refused(dialect, "name-taken") or [None]
    assert isinstance(left, Fault)
    assert left.code == "bye"
    assert dialect.pending() == b"! it is name-taken\n"


def test_the_next_line_is_the_key_where_one_is_lacking() -> None:
    dialect = Plain()
    dialect.feed(b"ann\nKEY\nhello\n")
    (hello,) = refused(dialect, "auth-required", wants="key") or [None]
    assert isinstance(hello, Hello)
    assert (hello.name, hello.key) == ("ann", "KEY")


@pytest.mark.parametrize("code", ["name-taken", "bad-name"])
def test_three_names(code: str) -> None:
    dialect = Plain()
    for name in (b"a\n", b"b\n"):
        dialect.feed(name)
        assert refused(dialect, code) == []
        assert dialect.pending().endswith(b"name: ")
    dialect.feed(b"c\n")
    assert refused(dialect, code) is None


@pytest.mark.parametrize("what", ["key", "password"])
def test_three_keys_or_passwords(what: str) -> None:
    dialect = Plain()
    dialect.feed(b"ann\n")
    assert refused(dialect, "auth-required", wants=what) == []
    for value in (b"1\n", b"2\n"):
        (hello,) = dialect.feed(value)
        assert getattr(hello, what) == value.decode().strip()
        dialect.pending()
        assert refused(dialect, "auth-failed", wants=what) == []
        assert dialect.pending() == f"! it is auth-failed\n{what}: ".encode()
    dialect.feed(b"3\n")
    assert refused(dialect, "auth-failed", wants=what) is None


@pytest.mark.parametrize("code", ["banned", "server-full", "rate-limited", "storage"])
def test_what_another_try_does_not_help(code: str) -> None:
    dialect = Plain()
    dialect.feed(b"ann\n")
    assert refused(dialect, code) is None


@pytest.mark.parametrize("line", [b"exit\n", b"/quit\n"])
def test_leaving_before_one_is_in(line: bytes) -> None:
    (fault,) = Plain().feed(line)
    assert isinstance(fault, Fault)
    assert Plain().farewell(Error(code=fault.code, text=fault.text, fatal=True)) == b"- goodbye\n"


# Commands


def test_what_commands_ask_for() -> None:
    assert typed("hi", "/me waves", "//x", "/msg bob psst", "/who", "/topic new", "", "exit") == [
        Say("hi"),
        Say("waves", kind="action"),
        Say("/x"),
        Tell("bob", "psst"),
        Who("lobby"),
        SetTopic("lobby", "new"),
        Leave(),
    ]


def test_the_room_that_is_talked_in() -> None:
    ann = Ann()
    dialect = admitted(ann)
    assert dialect.feed(b"/join #Ops\nhi\n/topic\n/history\n") == [
        Join("ops"),
        Say("hi", "ops"),
        Join("ops"),
        AskHistory("ops", limit=20),
    ]
    ann.rooms["ops"] = None
    assert dialect.feed(b"hi\n/part\nback\n") == [Say("hi", "ops"), Part("ops"), Say("back")]
    del ann.rooms["ops"]
    assert dialect.feed(b"still\n") == [Say("still")]


def test_who_may_not_enter_a_room_stays_where_they_were() -> None:
    dialect = admitted(Ann("lobby"))
    assert dialect.feed(b"/join den\nnobody hears this\n") == [Join("den"), Say("nobody hears this", "den")]
    assert dialect.feed(b"hello\n") == [Say("hello")]


def test_who_was_made_to_leave_a_room_does_not_talk_in_another() -> None:
    ann = Ann()
    dialect = admitted(ann)
    dialect.feed(b"/join ops\n")
    ann.rooms["ops"] = None
    dialect.feed(b"hi\n")
    del ann.rooms["ops"]
    assert dialect.feed(b"secret of ops\n") == [Say("secret of ops", "ops")]


@pytest.mark.parametrize(
    ("line", "code"),
    [("/nosuch", "bad-text"), ("/me", "bad-text"), ("/join a b", "bad-text"), ("/join ..", "bad-room")],
)
def test_lines_that_cannot_be_acted_on(line: str, code: str) -> None:
    (fault,) = typed(line)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.fatal) == (code, False)


def test_a_line_that_is_too_long_is_passed_over() -> None:
    fault, say = admitted().feed(b"x" * (MAX_LINE + 1) + b"\nhello\n")
    assert fault == Fault("too-long", "a line has at most 8000 bytes", fatal=False)
    assert say == Say("hello")


def test_history() -> None:
    def history(since: str) -> Any:
        return request_of(commands.History(since), "ops", clock=lambda: 10_000.0)

    assert history("") == AskHistory("ops", limit=20)
    assert history("200") == AskHistory("ops", limit=200)
    assert history("9999") == AskHistory("ops", limit=500)
    assert history("1h") == AskHistory("ops", since=6_400_000, limit=500)
    assert history("4w") == AskHistory("ops", since=0, limit=500)
    with pytest.raises(commands.UsageError, match="/history: a number of messages, or a time"):
        history("yesterday")


def test_redacting() -> None:
    assert typed("/redact #17 rude", "/redact 3") == [Redact("lobby", 17, "rude"), Redact("lobby", 3)]
    assert isinstance(typed("/redact bob")[0], Fault)


def test_a_new_password_is_asked_twice() -> None:
    assert typed("/register", "a", "a", "hi") == [Register("a"), Say("hi")]
    fault, say = typed("/register", "a", "b", "hi")
    assert "the two passwords differ" in fault.text
    assert say == Say("hi")


WORDS = {"topic-lock": "on", "mode": "hidden", "redact": "3", "history": "5"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_does_something_or_says_why_not(command: commands.Command) -> None:
    choices = [argument.choices[0] if argument.choices else "1h" for argument in command.arguments]
    words = " ".join([WORDS.get(command.name, choice) for choice in choices])
    dialect = admitted()
    frames = [*dialect.feed(f"/{command.name} {words}\n".encode())]
    said = dialect.pending()
    if command.name in MISSING:
        assert frames == [Fault("bad-text", f"/{command.name}: {MISSING[command.name]}", fatal=False)]
    else:
        assert said or not isinstance(frames[0], Fault)


def test_help_lists_what_can_be_done_here() -> None:
    dialect = admitted(Ann(role="moderator"))
    assert dialect.feed(b"/help\n/help\n/help\n") == []
    lines = dialect.pending().decode().splitlines()
    listed = {line.split()[1].removeprefix("/") for line in lines}
    owners = {command.name for command in COMMANDS if command.role == "owner"}
    assert listed == {command.name for command in COMMANDS} - set(MISSING) - owners | {"/TEXT"}
    assert len(lines) == len(listed)  # However often it was asked for.


# What is shown


@pytest.mark.parametrize(
    ("frame", "lines"),
    [
        (msg("hello"), ["bob: hello"]),
        (msg("a\nb\n"), ["bob: a", "bob: b", "bob: "]),
        (msg("waves", kind="action"), ["* bob waves"]),
        (msg("waves\nleft", kind="action"), ["* bob waves", "* bob: left"]),
        (msg("hi", "ops"), ["#ops bob: hi"]),
        (msg("waves", "ops", kind="action"), ["#ops * bob waves"]),
        (msg(""), ["bob: (removed)"]),
        (msg("", kind="action"), ["bob: (removed)"]),
        (msg("a\tb"), ["bob: a       b"]),
        (msg("\x1b[2J\u202e\r\x9b"), ["bob: \\x1b[2J\\u202e\\x0d\\x9b"]),
        (Told(0, "bob", "psst\nann: x"), ["bob (private): psst", "bob (private): ann: x"]),
        (Told(0, "bob", "nods", "action"), ["* bob (private) nods"]),
        (Told(0, "ann", "psst", to="bob"), ["ann to bob (private): psst"]),
        (Presence(room="lobby", joined=["bob", "cy"], left=[], count=3), ["* bob joined", "* cy joined"]),
        (Presence(room="ops", joined=[], left=["bob"], count=3), ["#ops * bob left"]),
        (Renamed("bob", "bert"), ["* bob is now bert"]),
        (Topic("ops", "a\nann: x", "bob", 0), ["#ops - bob set the topic: a\\nann: x"]),
        (Topic("lobby", "", "bob", 0), ["- bob cleared the topic"]),
        (Notice("a\nb"), ["- a", "- b"]),
        (Error(code="muted", text="you are\nmuted"), ["! you are\\nmuted"]),
        (
            RoomState(room="lobby", topic="t", count=2, members=["bob", "ann"], last=1),
            ["- in #lobby, 2 here: bob, ann", "- topic: t"],
        ),
        (
            History(room="ops", messages=[msg("a\nb", "ops")], more=False),
            ["- 2023-11-14 22:13 UTC #ops 7 bob: a", "- 2023-11-14 22:13 UTC #ops 7 bob: b"],
        ),
    ],
    ids=repr,
)
def test_lines_shown(frame: Frame, lines: list[str]) -> None:
    assert shown(frame) == lines


@pytest.mark.parametrize(
    "text",
    [
        *("joined", "left", "is now ann", "left the building", " joined", "\u200bjoined", "j\u200aoined"),
        *("j\N{CYRILLIC SMALL LETTER O}ined", "is \u200b now ann", "jo\u0307ined", "1eft", "joined."),
        *(
            "is\u00a0now ann",
            "is\tnow ann",
            "is\u3164now ann",
            "\u2800joined",
            "jo\u115fined",
            "left\u3000us",
        ),
        *("(private) hi", "to ann (private) hi"),
    ],
)
def test_nobody_can_pose_as_what_the_server_tells(text: str) -> None:
    assert shown(msg(text, kind="action"))[0].startswith("* bob: ")


@pytest.mark.parametrize("text", ["joins", "leaves", "is nowhere", "lefty", "\N{WAVING HAND SIGN}"])
def test_what_nobody_takes_for_that_is_left_alone(text: str) -> None:
    assert shown(msg(text, kind="action")) == [f"* bob {text}"]


texts = st.text(st.characters() | st.sampled_from("\n\r\t\x1b\u2028\x85\u202e"), max_size=30)


@st.composite
def frames(draw: st.DrawFn) -> Iterable[Frame]:
    text = draw(texts)
    return [
        msg(
            text, kind=draw(st.sampled_from(["text", "action"])), room=draw(st.sampled_from(["lobby", "ops"]))
        ),
        Told(0, "bob", text, draw(st.sampled_from(["text", "action"]))),
        Topic("ops", text, "bob", 0),
        Notice(text),
        Error(code="muted", text=text),
        RoomState(room="ops", topic=text, count=1, members=["ann"], last=0),
    ]


@given(frames())
def test_no_line_carries_controls_or_is_nobodys(frames: Iterable[Frame]) -> None:
    data = encode(frames)
    assert b"\r" not in data
    check_lines(data)


def test_hundreds_of_names_are_cut() -> None:
    names = [f"n{number}" for number in range(200)]
    (line,) = shown(RoomState(room="lobby", topic="", count=1000, members=names, last=1))
    assert line.endswith("n49 and 950 more")
