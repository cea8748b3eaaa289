"""Accounts, invitations and moderation in the terminal client: what is asked, and what is seen of it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatctl.client.connection import ChatClient
from chatctl.client.display.look import Look
from chatctl.client.display.shown import Copyable, Numbered, ToldTo
from chatctl.client.terminal.asking import Question
from chatctl.client.terminal.conversation import Conversation
from chatctl.client.terminal.remembered import Ignored, LastSeen
from chatctl.commands import Login as LoginAction
from chatctl.commands import Register as RegisterAction
from chatctl.commands import UsageError, parse
from chatctl.errors import Refused
from chatctl.invite import Invitation, parse_link
from chatctl.messages import Frame, Login, Msg, Notice, Register
from tests.helpers import SECONDS, environment, running_server
from tests.scripted import Scripted
from tests.window import Window

CTRL_C, CTRL_U, CTRL_Y, CTRL_W, CTRL_UNDO, ESCAPE, UP, TAB = (
    *("\x03", "\x15", "\x19", "\x17", "\x1f", "\x1b", "\x1b[A", "\t"),
)
AT = 1_700_000_000_000  # 2023-11-14 22:13 UTC
SECRET = "correct horse"
HIDDEN = "*" * len(SECRET)
PIN = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def window(server: Scripted, home: Path, *args: str, **options: Any) -> Window:
    env = {"XDG_STATE_HOME": str(home), "TZ": "UTC"}
    return Window(server.where, "ann", *args, env=env, **options)


def say(server: Scripted, ann: Window, text: str) -> None:
    """Has something said, which the server takes."""
    ann.enter(text)
    post = server.expect("say")
    assert post["text"] == text
    server.tell("ack", nonce=post["nonce"], at=AT, room="lobby", id=100)
    ann.expect(f"HH:MM✓ ann: {text}", "#lobby>")


def is_nowhere(secret: str, home: Path, seen: Window) -> None:
    """Makes sure that neither the terminal nor a file got a secret."""
    seen.lines()
    assert secret.encode() not in seen.sent
    files = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]


class Conversing:
    """A conversation without a terminal."""

    def __init__(self, server: Scripted) -> None:
        self._client = ChatClient.connect("127.0.0.1", server.port, "ann")
        self.conversation = Conversation(self._client, "lobby", Ignored(None), LastSeen(None, "x"), Look())
        self.until(lambda: "lobby" in self.conversation.places)

    def __enter__(self) -> Conversing:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def until(self, condition: Callable[[], bool]) -> list[Frame]:
        """Takes in what comes until a condition holds; returns what is shown of it."""
        shown: list[Frame] = []
        while not condition():
            for event in self._client.receive(SECONDS):
                shown += self.conversation.receive(event)
        return shown

    def next(self) -> list[Frame]:
        """Takes in what comes next; returns what is shown of it."""
        (event,) = self._client.receive(SECONDS)
        return list(self.conversation.receive(event))

    def type(self, line: str) -> list[Frame]:
        action = parse(line)
        assert action
        return list(self.conversation.perform(action))


# The question


def test_a_new_password_is_asked_for_twice() -> None:
    question = Question(RegisterAction(), "ann")
    assert question.prompt == "new password for ann: "
    assert question.answer(SECRET) is None
    assert question.prompt == "the same again: "
    assert question.answer(SECRET) == Register(SECRET)


def test_one_to_log_in_by_is_asked_for_once() -> None:
    assert Question(LoginAction(), "ann").answer(SECRET) == Login(SECRET, "ann")
    question = Question(LoginAction("Bob"), "ann")
    assert question.prompt == "password of Bob: "
    assert question.answer(SECRET) == Login(SECRET, "Bob")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([""], "there is no password"),
        (["first", ""], "there is no password"),
        (["first", "second"], "those were two passwords"),
        (["x" * 1025], "a password has at most 1024 bytes"),
        (["\u00e9" * 513], "a password has at most 1024 bytes"),
    ],
)
def test_what_makes_no_password(answers: list[str], why: str) -> None:
    question = Question(RegisterAction(), "ann")
    for answer in answers[:-1]:
        question.answer(answer)
    with pytest.raises(UsageError, match=why):
        question.answer(answers[-1])


def test_nobody_logs_in_by_what_is_no_name() -> None:
    with pytest.raises(Refused):
        Question(LoginAction("a/b"), "ann")


# At the prompt


def test_registering_shows_and_keeps_no_password(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/register")
        ann.expect("new password for ann:")
        ann.type(SECRET)
        ann.expect(f"new password for ann: {HIDDEN}")
        server.tell("msg", id=1, at=AT, room="lobby", name="bob", text="hello")
        ann.expect("HH:MM  bob: hello", f"new password for ann: {HIDDEN}")
        ann.type("\r")
        ann.expect("the same again:")
        ann.enter(SECRET)
        assert server.expect("register") == {"password": SECRET}
        server.tell("account", name="ann", role="member", re=1)
        ann.expect("— you are ann, with an account", "#lobby>")
        say(server, ann, "said")
        # What was typed before is found, and not the password; nor can it be pasted or brought back.
        ann.type(UP)
        ann.expect("HH:MM✓ ann: said", "#lobby> said")
        ann.type(UP + CTRL_U + CTRL_UNDO * 5 + CTRL_U)
        ann.expect("HH:MM✓ ann: said", "#lobby>")
        ann.enter("exit")
        assert ann.end() == 0
        is_nowhere(SECRET, tmp_path, ann)
    typed = "".join(path.read_text() for path in tmp_path.rglob("typed"))
    assert "+said" in typed
    assert "register" not in typed


def test_a_password_that_was_cut_out_cannot_be_pasted(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/login")
        ann.expect("password of ann:")
        ann.type(SECRET + CTRL_U)
        ann.expect("password of ann:")
        ann.type(CTRL_Y)  # There, it can.
        ann.expect(f"password of ann: {HIDDEN}")
        ann.type(CTRL_W)
        ann.enter("")
        assert server.expect("login") == {"password": "correct ", "name": "ann"}
        ann.type(f"x{CTRL_Y}{CTRL_UNDO}{CTRL_UNDO}y")
        ann.expect("#lobby> y")
        is_nowhere("horse", tmp_path, ann)


@pytest.mark.parametrize("keys", [CTRL_C, ESCAPE, "\r"])
def test_a_question_can_be_cancelled(tmp_path: Path, keys: str) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/register")
        ann.expect("new password for ann:")
        if keys != "\r":
            ann.type(SECRET)
            ann.expect(f"new password for ann: {HIDDEN}")
        ann.type(keys)
        ann.expect_somewhere("nothing was changed")
        ann.expect_somewhere("#lobby>")
        ann.enter("hello")
        assert server.expect("say")["text"] == "hello"
        is_nowhere(SECRET, tmp_path, ann)


def test_keys_that_look_things_up_do_not_do_that_in_a_password(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        say(server, ann, "hello")
        ann.enter("/login bob")
        ann.expect("password of bob:")
        ann.type("b" + TAB + UP + "ob")
        ann.expect("password of bob: ***")
        ann.enter("")
        assert server.expect("login") == {"password": "bob", "name": "bob"}


def test_two_passwords_are_none(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/register")
        ann.expect("new password for ann:")
        ann.enter(SECRET)
        ann.expect("the same again:")
        ann.enter("battery")
        ann.expect("! those were two passwords: nothing was changed", "#lobby>")


def test_a_password_on_the_line_is_neither_sent_nor_kept(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/login bob hunter2")
        ann.expect("password of bob:")
        ann.enter(SECRET)
        assert server.expect("login") == {"password": SECRET, "name": "bob"}
        server.tell("error", code="auth-failed", text="that is not the password of that account", re=-1)
        ann.expect_somewhere("! that is not the password of that account")
        ann.type(UP)
        say(server, ann, "said")
        ann.enter("exit")
        assert ann.end() == 0
    assert "hunter2" not in "".join(path.read_text() for path in tmp_path.rglob("typed"))


def test_a_password_that_was_begun_is_not_told_when_the_server_goes(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path, "--no-reconnect") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/login")
        ann.expect("password of ann:")
        ann.type(SECRET)
        ann.expect(f"password of ann: {HIDDEN}")
        server.tell("bye", code="shutting-down", text="gone")
        assert ann.end() == 1
        is_nowhere(SECRET, tmp_path, ann)


def test_logging_in_brings_the_name_of_the_account(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("/login Root")
        ann.expect("password of Root:")
        ann.enter(SECRET)
        server.expect("login")
        server.tell("account", name="Root", role="owner", re=-1)
        ann.expect("— you are Root, with an account; you are an owner now", "#lobby>")
        server.tell("msg", id=1, at=AT, room="lobby", name="Root", text="from my other device")
        ann.expect_above("HH:MM✓ Root: from my other device")
        server.tell("told", at=AT, name="Root", to="bob", text="psst")
        ann.expect_above("HH:MM✓ you → bob: psst")


def test_in_plain_lines_the_terminal_hides_it(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path, "--plain") as ann:
        ann.expect_somewhere("— in #lobby with 1 other: bob")
        ann.enter("/register")
        ann.expect_somewhere("new password for ann:")
        ann.enter(SECRET)
        ann.expect_somewhere("the same again:")
        ann.enter(SECRET)
        assert server.expect("register") == {"password": SECRET}
        ann.enter("seen again")
        post = server.expect("say")
        assert post["text"] == "seen again"
        server.tell("ack", nonce=post["nonce"], at=AT, room="lobby", id=1)
        ann.expect_somewhere("seen again")
        ann.enter("/quit")
        assert ann.end() == 0
        is_nowhere(SECRET, tmp_path, ann)


def test_in_plain_lines_ctrl_c_gives_the_echo_back(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path, "--plain") as ann:
        ann.expect_somewhere("— in #lobby with 1 other: bob")
        ann.enter("/login")
        ann.expect_somewhere("password of ann:")
        ann.type(CTRL_C)
        assert ann.end() == 130  # which looks at the echo


# Moderating


@pytest.mark.parametrize(
    ("line", "t", "frame"),
    [
        ("/kick eve that was rude", "moderate", {"what": "kick", "whom": "eve", "reason": "that was rude"}),
        ("/ban eve 2h spam", "moderate", {"what": "ban", "whom": "eve", "seconds": 7200, "reason": "spam"}),
        ("/ban 10.0.0.0/8", "moderate", {"what": "ban", "whom": "10.0.0.0/8"}),
        ("/unban eve", "moderate", {"what": "unban", "whom": "eve"}),
        ("/unmute eve by mistake", "moderate", {"what": "unmute", "whom": "eve", "reason": "by mistake"}),
        ("/mute eve 10m", "moderate", {"what": "mute", "whom": "eve", "seconds": 600}),
        ("/op eve", "moderate", {"what": "op", "whom": "eve"}),
        ("/allow eve", "moderate", {"what": "allow", "whom": "eve", "room": "lobby"}),
        ("/disallow eve", "moderate", {"what": "disallow", "whom": "eve", "room": "lobby"}),
        ("/banned", "banned", {}),
        ("/mode", "mode", {"room": "lobby"}),
        ("/mode read-only", "mode", {"room": "lobby", "read_only": True}),
        ("/mode public", "mode", {"room": "lobby", "invite_only": False}),
        ("/topic-lock on", "mode", {"room": "lobby", "topic_locked": True}),
        ("/topic-lock off", "mode", {"room": "lobby", "topic_locked": False}),
        ("/topic-lock", "mode", {"room": "lobby"}),
        ("/redact #17 rude", "redact", {"room": "lobby", "id": 17, "reason": "rude"}),
        ("/redact 17", "redact", {"room": "lobby", "id": 17}),
        ("/invite", "invite", {"room": "lobby"}),
        ("/invite 7d", "invite", {"room": "lobby", "seconds": 604_800}),
    ],
)
def test_what_is_typed_is_asked_of_the_server(line: str, t: str, frame: dict[str, Any]) -> None:
    with Scripted() as server, Conversing(server) as ann:
        ann.type(line)
        assert server.expect(t) == frame


def test_redacting_someones_last_message() -> None:
    with Scripted() as server, Conversing(server) as ann:
        for id_, name in ((1, "Eve"), (2, "Eve"), (3, "bob")):
            server.tell("msg", id=id_, at=AT, room="lobby", name=name, text="x")
            ann.next()
        ann.type("/redact eve")
        assert server.expect("redact") == {"room": "lobby", "id": 2}
        with pytest.raises(UsageError, match="carol has said nothing in #lobby that you saw"):
            ann.type("/redact carol")


def test_who_may_redact_sees_the_numbers_of_what_was_looked_up() -> None:
    msg = {"id": 7, "at": AT, "room": "lobby", "name": "bob", "text": "x"}
    for keys, drawn in (
        ({}, Msg),
        ({"account": True}, Numbered),
        ({"role": "moderator"}, Numbered),
        ({"role": "guest"}, Msg),
    ):
        with Scripted(**keys) as server, Conversing(server) as ann:
            ann.type("/history")
            server.expect("history")
            server.tell("history", room="lobby", messages=[msg], more=False, re=1)
            assert [type(frame) for frame in ann.next()][1] is drawn


def test_an_invitation_is_a_line_to_send() -> None:
    with Scripted(role="moderator") as server, Conversing(server) as ann:
        ann.type("/invite 2h")
        server.expect("invite")
        server.tell("invited", key="a key?", room="ops", uses=1, until=AT, pin=PIN)
        notice, line, where = ann.next()
        assert isinstance(notice, Notice)
        assert "one person into #ops" in notice.text
        assert isinstance(where, Notice)
        assert "127.0.0.1 is this machine: others" in where.text
        assert isinstance(line, Copyable)
        link = parse_link(shlex.split(line.text)[-1])
        assert link == Invitation("127.0.0.1", server.port, "ops", PIN, "a key?")


def test_a_link_can_be_copied_though_it_is_long(tmp_path: Path) -> None:
    with Scripted(role="moderator") as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        server.tell("invited", key="K" * 22, room="ops", uses=1, until=AT, pin=PIN)
        whole = f"chatctl join 'chat://127.0.0.1:{server.port}/ops?pin={PIN}#{'K' * 22}'"
        ann.expect(
            "— until 2023-11-14 22:13 this lets one person into #ops:",
            *(whole[:80], whole[80:]),
            "— 127.0.0.1 is this machine: others need the address that they reach",
            "#lobby>",
        )


def test_what_one_is_follows_what_the_server_says() -> None:
    with Scripted(role="guest") as server, Conversing(server) as ann:
        news = []
        for role, account in (("member", True), ("moderator", True), ("moderator", True), ("member", False)):
            server.tell("account", name="ann", role=role, account=account)
            news.append([frame.text for frame in ann.next() if isinstance(frame, Notice)])
        assert news == [
            ["you are ann, with an account; you are a member now"],
            ["you are a moderator now"],
            [],
            ["you have no account any more; you are a member now"],
        ]


def test_the_help_is_for_what_one_is() -> None:
    with Scripted() as server, Conversing(server) as ann:
        (before,) = ann.type("/help")
        server.tell("account", name="ann", role="moderator")
        ann.next()
        (after,) = ann.type("/help")
    assert isinstance(before, Notice)
    assert isinstance(after, Notice)
    assert "/kick" not in before.text
    assert "/kick" in after.text
    assert "/op" not in after.text


def test_what_ones_other_device_told_others_calls_nobody() -> None:
    with Scripted() as server, Conversing(server) as ann:
        server.tell("told", at=AT, name="ann", to="bob", text="psst")
        (shown,) = ann.next()
        assert shown == ToldTo(AT, "bob", "psst")
        assert ann.conversation.weight(shown) == ""
        with pytest.raises(UsageError, match="nobody has written to you yet"):
            ann.type("/reply hello")


def test_completion_knows_the_role(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.type(f"/ki{TAB}")
        ann.expect("#lobby> /ki")
        server.tell("account", name="ann", role="moderator", account=False)
        ann.expect_above("— you are a moderator now")
        ann.type(f"{TAB}b{TAB}")
        ann.expect("#lobby> /kick bob")


@pytest.mark.parametrize(
    ("t", "keys"),
    [
        ("bye", {"code": "kicked", "text": "bob threw you out: rude"}),
        ("error", {"code": "banned", "text": "bob threw you out: rude", "fatal": True}),
    ],
)
def test_who_is_thrown_out_is_told_and_does_not_come_back(
    tmp_path: Path, t: str, keys: dict[str, Any]
) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        server.tell(t, **keys)
        assert ann.end() == 1
        ann.expect_somewhere("chatctl: bob threw you out: rude")


def test_who_is_muted_is_told_and_stays(tmp_path: Path) -> None:
    with Scripted() as server, window(server, tmp_path) as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        ann.enter("hello")
        nonce = server.expect("say")["nonce"]
        server.tell("error", code="muted", text="you are muted for 2 h: spam", nonce=nonce)
        ann.expect("\N{BALLOT X} you are muted for 2 h: spam; not delivered: hello", "#lobby>")


# On a real server


def test_an_owner_and_two_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server("--data", str(data)) as server:
        ann, eve, bob = (Window(server, name, env={"XDG_STATE_HOME": str(tmp_path / name)}) for name in NAMES)
        with ann, eve, bob:
            log_in_as_owner(data, ann)
            for other in (eve, bob):
                other.expect_somewhere("#lobby>")
            eve.enter("buy my pills")
            ann.expect_above("HH:MM  eve: buy my pills")
            ann.enter("/redact eve spam")
            bob.expect_somewhere("root removed message 1: spam")
            ann.enter("/mute eve 10m")
            eve.expect_somewhere("* root muted you for 10 min")
            eve.enter("but why")
            eve.expect_somewhere("not delivered: but why")
            ann.enter("/kick eve enough")
            assert eve.end() == 1
            eve.expect_somewhere("enough")
            bob.expect_somewhere("* root kicked eve: enough")
            bob.enter("/register")
            bob.expect("new password for bob:")
            bob.enter(SECRET)
            bob.expect("the same again:")
            bob.enter(SECRET)
            bob.expect_above("— you are bob, with an account")
            ann.enter("/op bob")
            bob.expect_somewhere("you are a moderator now")
            bob.enter("/invite 2h")
            bob.expect_somewhere("chatctl join 'chat://127.0.0.1:")
            bob.enter("/banned")
            bob.expect_somewhere("eve  muted  until")
        is_nowhere(SECRET, tmp_path, bob)
    assert SECRET not in server.log


NAMES = ("ann", "eve", "bob")


def log_in_as_owner(data: Path, window: Window) -> None:
    """Makes an account beside the server, and logs in by it at the prompt."""
    command = [sys.executable, "-m", "chatctl", "user", "add", "root", "--role", "owner"]
    env = environment(CHATCTL_DATA=str(data), CHATCTL_PASSWORD="top secret")
    subprocess.run(command, env=env, check=True, capture_output=True)
    window.expect_somewhere("#lobby>")
    window.enter("/login root")
    window.expect("password of root:")
    window.enter("top secret")
    window.expect_somewhere("you are root, with an account; you are an owner now")
