"""What people see of an event, on a terminal and in plain lines, and that nobody can make them see more."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from wcwidth import wcswidth, wcwidth

from chatctl.client.display.look import Look, Theme, Timestamp
from chatctl.client.display.moderation import BANS_SHOWN
from chatctl.client.display.render import (
    LINES_SHOWN,
    MEMBERS_SHOWN,
    ROOMS_SHOWN,
    Manner,
    View,
    ago,
    entry,
    span,
)
from chatctl.client.display.screen import PlainPainter, TerminalPainter, rich_manner, settle
from chatctl.client.display.shown import Copyable, Failed, Heading, Numbered, SinceYouLeft, ToldTo
from chatctl.client.display.themes import palette
from chatctl.messages import (
    Away,
    Ban,
    Bans,
    Error,
    Frame,
    Gap,
    Measure,
    Members,
    Mode,
    Moderated,
    Msg,
    Notice,
    Pong,
    Presence,
    Redacted,
    Renamed,
    RoomLine,
    Rooms,
    RoomState,
    Told,
    Topic,
    User,
)

ANN = View("ann", "lobby")
MONO = palette(Theme.mono)
TIME = Manner(MONO, Timestamp.time)
AT = 1_700_000_000_000
SGR = re.compile(r"\x1b\[[0-9;]*m")
OSC_8 = re.compile(r"\x1b\]8;(id=\d+)?;[!-~]*\x1b\\")
# What must never come out, whoever sent it: controls and what turns the direction of writing.
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def that_day_in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes today the day of `AT`."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    local_time = time.localtime
    monkeypatch.setattr(time, "localtime", lambda seconds=None: local_time(seconds or AT / 1000))
    monkeypatch.setattr(time, "time", lambda: AT / 1000)
    yield
    monkeypatch.undo()
    time.tzset()


def paint_plain(event: Frame, view: View = ANN, manner: Manner = TIME) -> str:
    return PlainPainter(lambda: manner)(event, view)


def terminal(columns: int = 80) -> TerminalPainter:
    return TerminalPainter(lambda: columns, lambda: rich_manner(Look(), links=True))


def drawn(event: Frame, view: View = ANN, width: int = 80, manner: Manner = TIME) -> list[str]:
    """Returns the lines a terminal without colours shows."""
    shown = entry(event, view, manner)
    if shown is None:
        return []
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, _environ={})
    with console.capture() as captured:
        console.print(shown)
    return [line.rstrip() for line in captured.get().splitlines()]


def msg(text: str, name: str = "bob", room: str = "lobby") -> Msg:
    return Msg(1, AT, room, name, text)


def state(count: int, members: list[str], topic: str = "") -> RoomState:
    return RoomState(room="lobby", topic=topic, count=count, members=members, last=0)


def presence(joined: list[str], left: list[str], room: str = "lobby") -> Presence:
    return Presence(room=room, joined=joined, left=left, count=5)


def moderated(what: Measure, whom: str = "eve", **keys: Any) -> Moderated:
    return Moderated(what=what, whom=whom, name="bob", at=AT, **keys)


@pytest.mark.parametrize(
    ("event", "view", "line"),
    [
        (msg("hi"), ANN, "22:13  bob: hi"),
        (msg(""), ANN, "22:13  bob: (removed)"),
        (Msg(1, AT, "dev", "bob", "", "action"), ANN, "22:13  #dev * bob (removed)"),
        (Redacted("lobby", 17, "bob"), ANN, "— bob removed message 17"),
        (Redacted("dev", 17, "bob", "be\nkind"), ANN, "— bob removed message 17 of #dev: be\\nkind"),
        (Msg(1, AT, "lobby", "bob", "waves", "action"), ANN, "22:13  * bob waves"),
        (Msg(1, AT, "dev", "bob", "waves", "action"), ANN, "22:13  #dev * bob waves"),
        (msg("hi", room="dev"), ANN, "22:13  #dev bob: hi"),
        (msg("hi"), ANN, "22:13  bob: hi"),
        (Msg(1, 10**300, "lobby", "bob", "hi"), ANN, "--:--  bob: hi"),
        (Told(AT, "bob", "psst"), ANN, "22:13  bob → you: psst"),
        (ToldTo(AT, "bob", "psst"), ANN, "22:13  you → bob: psst"),
        (Told(AT, "bob", "winks", "action"), ANN, "22:13  * bob → you: winks"),
        (presence(["bob"], []), ANN, "→ bob joined"),
        (presence([], ["bob", "cat"]), ANN, "← bob, cat left"),
        (presence(["bob", "ann"], ["cat"], "dev"), ANN, "→ bob joined #dev  ← cat left #dev"),
        (Renamed("bob", "rob"), ANN, "— bob is now rob"),
        (Renamed("bob", "ann"), ANN, "— you are now ann"),
        (Topic("lobby", "cats", "bob", AT), ANN, "— bob set the topic of #lobby: cats"),
        (Topic("lobby", "", "bob", AT), ANN, "— bob cleared the topic of #lobby"),
        (Notice("hear hear"), ANN, "— hear hear"),
        (Error(code="bad-name", text="no such\nname"), ANN, "! no such\\nname"),
        (Members(names=["ann", "bob"], count=3), ANN, "— 3: ann, bob and 1 more"),
        (Members(names=["ann"], count=1, room="dev"), ANN, "— 1 in #dev: ann"),
        (Failed("hi", "nobody has that name"), ANN, "✗ nobody has that name; not delivered: hi"),
        (Heading("3 messages"), ANN, "── 3 messages ──"),
        (
            SinceYouLeft("dev", AT - 7_200_000, 90, 50),
            ANN,
            "── since you left #dev 2 hours ago: 90 messages, the last 50 follow; /history 90 shows more ──",
        ),
        (SinceYouLeft("dev", AT, 1, 1), ANN, "── since you left #dev just now: 1 message ──"),
        (Away("bob", "lunch"), ANN, "— bob is away: lunch"),
        (Away("ann", "lunch"), ANN, "— you are away: lunch"),
        (Away("ann", ""), ANN, "— you are back"),
        (
            User(name="bob", rooms=["lobby", "dev"], at=AT - 60_000, idle=0),
            ANN,
            "— bob is in #lobby, #dev; came in 1 minute ago; talking just now",
        ),
        (
            User(name="bob", rooms=[], at=AT, idle=90, away="out", agent="x/1"),
            ANN,
            "— bob is in no room; came in just now; silent for 1 minute; away: out; uses x/1",
        ),
        (
            User(name="bob", rooms=[], at=AT, idle=0, role="owner", account=True, address="::1"),
            ANN,
            "— bob is in no room; came in just now; talking just now; an owner, with an account; from ::1",
        ),
        (
            User(name="bob", rooms=[], at=AT, idle=0, role="guest"),
            ANN,
            "— bob is in no room; came in just now; talking just now; a guest",
        ),
        (
            User(name="bob", rooms=[], at=AT, idle=0, account=True),
            ANN,
            "— bob is in no room; came in just now; talking just now; has an account",
        ),
        (Numbered(msg("hi")), ANN, "22:13  #1 bob: hi"),
        (Numbered(msg("hi", room="dev")), ANN, "22:13  #1 #dev bob: hi"),
        (Copyable("chatctl join 'chat://h:1/lobby#k'"), ANN, "chatctl join 'chat://h:1/lobby#k'"),
        (moderated("kick", reason="be\nkind"), ANN, "* bob kicked eve: be\\nkind"),
        (moderated("ban", until=AT + 7_200_000, reason="spam"), ANN, "* bob banned eve for 2 h: spam"),
        (moderated("ban", whom="10.0.0.0/8"), ANN, "* bob banned 10.0.0.0/8"),
        (moderated("ban", whom="Ann", until=AT + 90_000), ANN, "* bob banned you for 90 s"),
        (moderated("unban"), ANN, "* bob lifted the ban of eve"),
        (moderated("mute", until=AT + 5_400_000), ANN, "* bob muted eve for 90 min"),
        (moderated("mute", until=-(2**53)), ANN, "* bob muted eve for 0 s"),
        (moderated("mute", until=AT + 604_800_400), ANN, "* bob muted eve for 7 d"),
        (moderated("unmute"), ANN, "* bob lets eve speak again"),
        (moderated("op"), ANN, "* bob made eve a moderator"),
        (moderated("deop", whom="ann"), ANN, "* bob made you a member again"),
        (moderated("allow", room="ops"), ANN, "* bob allowed eve into #ops"),
        (moderated("disallow", room="ops"), ANN, "* bob does not allow eve any more into #ops"),
        (Bans([]), ANN, "— nobody is banned or muted"),
        (Mode(room="ops"), ANN, "— #ops is open to everybody"),
        (Mode(room="ops", invite_only=True, topic_locked=True), ANN, "— #ops is invite-only, topic-locked"),
        (
            Mode(room="ops", hidden=True, read_only=True, name="bob"),
            ANN,
            "— bob changed #ops: it is hidden, read-only",
        ),
        (Members(names=["ann", "bob"], count=2, away=["bob"]), ANN, "— 2: ann, bob — away: bob"),
        (Gap("lobby", 4, 91), ANN, "— … messages 5\u201390 of #lobby are no longer kept …"),
        (state(1, ["ann"]), ANN, "— in #lobby, nobody else is here"),
        (state(2, ["ann", "bob"]), ANN, "— in #lobby with 1 other: bob"),
        (
            state(4, ["cat", "bob", "ann"], "cats"),
            ANN,
            "— in #lobby with 3 others: cat, bob and 1 more — cats",
        ),
    ],
)
def test_an_event_is_one_line(event: Frame, view: View, line: str) -> None:
    assert paint_plain(event, view) == f"{line}\n"
    assert drawn(event, view, 120) == [line]


@pytest.mark.parametrize("event", [Pong(), presence(["ann"], []), presence([], [])])
def test_some_events_show_nothing(event: Frame) -> None:
    assert paint_plain(event, ANN) == ""
    assert terminal()(event, ANN) == ""


def test_rooms_are_a_list() -> None:
    rooms = Rooms([RoomLine("lobby", 3, "cats", 7), RoomLine("dev", 1, "", 0)])
    assert paint_plain(rooms, ANN).splitlines() == ["— #lobby (3) — cats", "— #dev (1)"]


def test_bans_are_a_table() -> None:
    bans = Bans(
        [
            Ban("ban", "eve", "ann", AT, AT + 7_200_000, "spam\nand lies"),
            Ban("mute", "10.0.0.0/8", "bob", AT),
            Ban("ban", "\N{CJK UNIFIED IDEOGRAPH-65E5}", "bob", AT, 10**300),
        ]
    )
    assert paint_plain(bans, ANN).splitlines() == [
        "— eve         banned  until 2023-11-15 00:13             by ann: spam\\nand lies",
        "— 10.0.0.0/8  muted   for good                           by bob",
        "— \N{CJK UNIFIED IDEOGRAPH-65E5}          banned  until a time that no calendar has  by bob",
    ]


def test_many_bans_are_cut() -> None:
    lines = drawn(Bans([Ban("ban", "eve", "ann", AT)] * (BANS_SHOWN + 3)))
    assert len(lines) == BANS_SHOWN + 1
    assert lines[-1] == "  … and 3 more"


def test_what_is_to_be_copied_is_one_line_however_narrow_the_window() -> None:
    line = "chatctl join " + "x" * 200
    assert terminal(30)(Copyable(line), ANN) == f"{line}\n"
    assert terminal(30)(Copyable("a\nb\x1b[2J"), ANN) == "a\\nb\\x1b[2J\n"


def test_what_would_take_long_to_draw_is_cut() -> None:
    rooms = drawn(Rooms([RoomLine("dev", 1, "", 0)] * (ROOMS_SHOWN + 2)))
    assert len(rooms) == ROOMS_SHOWN + 1
    assert rooms[-1] == "  … and 2 more; `chatctl rooms` shows all"
    names = drawn(Members(names=["bob"] * (MEMBERS_SHOWN + 1), count=MEMBERS_SHOWN + 2))
    assert "".join(names).count("bob") == MEMBERS_SHOWN
    assert " ".join(names).endswith("and 2 more")
    assert drawn(Notice("x\n" * LINES_SHOWN + "y"))[-1] == "  … and 1 lines more"


def test_a_long_list_of_names_is_cut() -> None:
    names = [f"guest{number}" for number in range(100)]
    assert paint_plain(presence(names, []), ANN).endswith("guest10, guest11 and 88 more joined\n")


def test_further_lines_are_indented_on_a_terminal_and_named_in_plain_lines() -> None:
    forged = msg("first\n22:13  ann: second\n\nlast")
    assert drawn(forged) == ["22:13  bob: first", "            22:13  ann: second", "", "            last"]
    assert paint_plain(forged, ANN).splitlines() == [
        "22:13  bob: first",
        "22:13  bob: 22:13  ann: second",
        "22:13  bob: ",
        "22:13  bob: last",
    ]


@pytest.mark.parametrize("width", [12, 20, 30, 80])
def test_what_is_wrapped_never_begins_at_the_left(width: int) -> None:
    lines = drawn(msg("x" * 200 + " 22:13  ann: I owe bob 10", name="b" * 32), width=width)
    assert len(lines) > 1
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(len(line) <= width for line in lines)


def test_wide_characters_are_wrapped_by_their_width() -> None:
    assert drawn(msg("日本語" * 6), width=30) == [
        "22:13  bob: 日本語日本語日本語",
        "       日本語日本語日本語",
    ]


@pytest.mark.parametrize(
    "emoji", ["\U0001f44d\U0001f3fd", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea", "\U0001f469\u200d\U0001f467"]
)
def test_no_terminal_wraps_emoji_by_itself(emoji: str) -> None:
    shown = entry(msg(f"{emoji * 40} 22:13  ann: I owe bob 10"), ANN, TIME)
    assert shown
    for line in shown.lines(30):
        # Some terminals show each part of an emoji, others make all of it wide.
        assert sum(max(wcwidth(character), 0) for character in line.plain) <= 30
        assert wcswidth(line.plain) <= 30


@pytest.mark.parametrize("emoji", ["\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea"])
def test_emoji_of_two_characters_stay_whole(emoji: str) -> None:
    lines = drawn(msg(emoji * 9), width=30)
    assert [line.strip().removeprefix("22:13  bob: ") for line in lines] == [emoji * 4, emoji * 5]


def test_words_stay_whole_if_they_fit() -> None:
    assert drawn(msg("one two three four"), width=21) == ["22:13  bob: one two", "       three four"]
    assert drawn(msg("see http://example.org/a/b/c"), width=21)[0] == "22:13  bob: see http:"


def test_only_the_name_has_its_colour() -> None:
    colours_of = palette(Theme.auto)
    shown = entry(msg("hi"), ANN, Manner(colours_of, Timestamp.time))
    assert shown is not None
    segments = Console(file=io.StringIO(), color_system="256").render(shown)
    colours = {segment.text: segment.style.color if segment.style else None for segment in segments}
    assert colours["bob"] == colours_of.name_style("bob").color
    assert colours[": hi"] is None


def test_markup_is_only_text() -> None:
    for text in ("[bold]x[/bold]", "[/x]", "[link=http://e]x[/link]", ":smile:", "\\[red]"):
        assert drawn(msg(text)) == [f"22:13  bob: {text}"]


hostile = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\u202e\u2066[]\\;m0"), max_size=200)


@settings(deadline=None)
@given(hostile, hostile, hostile)
def test_nothing_harmful_reaches_a_terminal_or_a_pipe(text: str, name: str, room: str) -> None:
    events = [
        Msg(1, AT, room, name, text),
        Told(AT, name, text, "action"),
        ToldTo(AT, name, text),
        Notice(text),
        Error(code="internal", text=text),
        Topic(room, text, name, AT),
        Renamed(name, text),
        presence([name], [text], room),
        RoomState(room=room, topic=text, count=3, members=[name], last=1),
        Members(names=[name, text], count=2, room=room),
        Rooms([RoomLine(room, 1, text, 1)]),
        Gap(room, 1, 9),
        Away(name, text),
        User(name=name, rooms=[room], at=AT, idle=5, away=text, agent=text),
        Failed(text, name),
        Heading(text),
        Numbered(Msg(1, AT, room, name, text)),
        Copyable(text),
        Moderated(what="allow", whom=text, name=name, at=AT, room=room, reason=text),
        Bans([Ban("ban", text, name, AT, AT, text)]),
        Mode(room=room, hidden=True, name=name),
        User(name=name, rooms=[], at=AT, idle=5, address=text),
    ]
    paint = terminal(40)
    for event in events:
        assert not HARMFUL.search(OSC_8.sub("", SGR.sub("", paint(event, ANN))))
        assert not HARMFUL.search(paint_plain(event, ANN))


@given(hostile, hostile)
def test_every_plain_line_says_whose_it_is(text: str, name: str) -> None:
    lines = paint_plain(Msg(1, AT, "lobby", name, text), ANN).removesuffix("\n").split("\n")
    start = lines[0][: len(lines[0]) - len(lines[0].partition(": ")[2])]
    assert len(lines) == text.count("\n") + 1
    assert all(line.startswith(start[:7]) for line in lines)


# Days and times


def test_a_line_stands_between_days() -> None:
    yesterday = Msg(1, AT - 86_400_000, "lobby", "bob", "hi")
    paint = PlainPainter(lambda: TIME)
    assert paint(yesterday, ANN) == "── Monday, 13 November 2023 ──\n22:13  bob: hi\n"
    assert paint(yesterday, ANN) == "22:13  bob: hi\n"
    assert paint(Notice("hear hear"), ANN) == "— hear hear\n"
    assert paint(msg("hi"), ANN) == "── Tuesday, 14 November 2023 ──\n22:13  bob: hi\n"


@pytest.mark.parametrize(
    ("timestamp", "line"),
    [
        (Timestamp.off, "bob: hi"),
        (Timestamp.time, "22:13  bob: hi"),
        (Timestamp.datetime, "2023-11-14 22:13:20  bob: hi"),
    ],
)
def test_times_can_be_chosen(timestamp: Timestamp, line: str) -> None:
    assert paint_plain(msg("hi"), manner=Manner(MONO, timestamp)) == f"{line}\n"


def test_no_line_stands_between_days_where_each_message_has_its_date() -> None:
    earlier = Msg(1, AT - 86_400_000, "lobby", "bob", "hi")
    assert paint_plain(earlier, manner=Manner(MONO, Timestamp.datetime)) == "2023-11-13 22:13:20  bob: hi\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0 seconds"), (1, "1 second"), (119, "1 minute"), (7200, "2 hours"), (1e6, "11 days")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_how_long_ago_survives_any_number() -> None:
    assert ago(AT, AT / 1000 + 60) == "1 minute ago"
    assert ago(10**400, 1.0) == "just now"
    assert ago(-(10**400), 1.0).endswith(" days ago")


# What is one's own, and what calls


def test_what_one_said_is_marked_on_a_terminal() -> None:
    own = Msg(1, AT, "lobby", "Ann", "hi")
    rich = Manner(MONO, Timestamp.time, marked=True)
    assert drawn(own, manner=rich) == ["22:13✓ Ann: hi"]
    assert drawn(ToldTo(AT, "bob", "psst"), manner=rich) == ["22:13✓ you → bob: psst"]
    assert drawn(Told(AT, "bob", "psst"), manner=rich) == ["22:13  bob → you: psst"]
    assert drawn(own) == ["22:13  Ann: hi"]


def test_texts_are_marked_up_on_a_terminal_alone() -> None:
    marked = msg("**so** `it` *is*")
    assert drawn(marked, manner=Manner(MONO, Timestamp.time, marked=True)) == ["22:13  bob: so it is"]
    assert drawn(marked) == ["22:13  bob: **so** `it` *is*"]


def test_the_clock_of_what_names_one_is_marked() -> None:
    painted = terminal()(msg("hi Ann"), ANN)
    style = rich_manner(Look(), links=True).palette.mention
    assert painted.startswith(style.render("22:13"))
    assert not terminal()(msg("hi Anna"), ANN).startswith(style.render("22:13"))


def test_an_address_can_be_clicked() -> None:
    painted = terminal()(msg("see https://example.org/a."), ANN)
    assert "https://example.org/a\x1b\\" in painted
    assert OSC_8.sub("", SGR.sub("", painted)) == "22:13  bob: see https://example.org/a.\n"


def test_no_color_means_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    look = settle(Look(), terminal=True)
    painted = TerminalPainter(lambda: 80, lambda: rich_manner(look, links=True))(msg("hi"), ANN)
    assert "38;5" not in painted
    assert SGR.sub("", painted) == "22:13  bob: hi\n"
