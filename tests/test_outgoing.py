"""What a client has still to send: its order, what may be on its way at once, and what goes out again."""

from __future__ import annotations

import pytest

from chatctl.client.outgoing import BUSY_POSTS, FEW_BYTES, MAX_WAITING, WINDOW, Item, Outgoing, make_item
from chatctl.errors import Refused
from chatctl.messages import ClientFrame, Join, Leave, Login, Part, Ping, Rename, Say, Tell


def say(number: int, text: str = "x") -> Say:
    return Say(text, "lobby", f"nonce {number}")


def fill(*frames: ClientFrame) -> Outgoing:
    outgoing = Outgoing()
    for frame in frames:
        outgoing.add(make_item(frame))
    return outgoing


def taken(outgoing: Outgoing) -> list[ClientFrame]:
    return [item.frame for item in outgoing.take()]


def settle(outgoing: Outgoing, key: str | int) -> None:
    item = outgoing.find(key)
    assert item is not None
    outgoing.settle(item)


def test_everything_goes_in_its_order() -> None:
    frames: list[ClientFrame] = [say(1), Ping(), Tell("bob", "x", "t"), Join("dev", n=-1)]
    assert taken(fill(*frames)) == frames


def test_no_more_is_on_its_way_than_a_system_takes() -> None:
    frames = [say(number, "x" * 8_000) for number in range(20)]
    outgoing = fill(*frames)
    first = taken(outgoing)
    assert first == frames[: len(first)]
    assert WINDOW - 9_000 < sum(len(frame.text) for frame in frames[: len(first)]) <= WINDOW
    settle(outgoing, "nonce 0")
    assert taken(outgoing) == [frames[len(first)]]


@pytest.mark.parametrize("frame", [Rename("ann2", n=-1), Login("p", n=-1), Part("lobby"), Leave()])
def test_what_changes_who_says_it_waits_for_what_was_said(frame: ClientFrame) -> None:
    outgoing = fill(say(1), frame, say(2))
    assert taken(outgoing) == [say(1)]
    settle(outgoing, "nonce 1")
    assert frame in taken(outgoing)


@pytest.mark.parametrize("frame", [Rename("ann2", n=-1), Login("password", "ann2", n=-1)])
def test_what_is_said_waits_for_the_name_it_is_said_under(frame: ClientFrame) -> None:
    outgoing = fill(frame, say(1), Ping())
    assert taken(outgoing) == [frame]
    settle(outgoing, -1)
    assert taken(outgoing) == [say(1), Ping()]


def test_after_a_lost_line_what_was_not_answered_goes_again_in_its_place() -> None:
    outgoing = fill(Rename("ann2", n=-1), say(1), say(2))
    outgoing.take()
    settle(outgoing, -1)
    outgoing.take()
    outgoing.add(make_item(say(3)))
    settle(outgoing, "nonce 1")
    owed = [outgoing.is_owed]
    outgoing.line_lost()
    owed.append(outgoing.is_owed)
    assert taken(outgoing) == [say(2), say(3)]
    owed.append(outgoing.is_owed)
    assert owed == [True, False, True]
    assert outgoing.posts == 2


def test_what_was_answered_on_return_is_not_sent_again() -> None:
    outgoing = fill(say(1), say(2))
    outgoing.take()
    outgoing.line_lost()
    settle(outgoing, "nonce 1")
    assert taken(outgoing) == [say(2)]


@pytest.mark.parametrize(
    ("flying", "text", "waits"),
    [
        (BUSY_POSTS - 1, "x", False),  # An answer may be long in coming.
        (BUSY_POSTS, "x", True),
        (BUSY_POSTS, "x" * FEW_BYTES, False),
    ],
)
def test_few_bytes_wait_while_many_posts_are_on_their_way(flying: int, text: str, waits: bool) -> None:
    outgoing = fill(*map(say, range(flying)))
    outgoing.take()
    outgoing.add(make_item(say(100, text)))
    assert outgoing.can_wait is waits
    outgoing.line_lost()
    assert outgoing.can_wait is False


def test_what_was_sent_is_known_to_the_end() -> None:
    outgoing = fill(say(1), Rename("ann2", n=-1), say(2))
    outgoing.take()
    first, _, second = outgoing.give_up()
    assert (first.was_sent, second.was_sent) == (True, False)
    assert outgoing.find("nonce 1") is first


def test_a_post_without_a_nonce_is_not_waited_for() -> None:
    outgoing = fill(Say("x"), Leave())
    assert taken(outgoing) == [Say("x"), Leave()]
    assert (outgoing.posts, outgoing.is_owed) == (0, False)


def test_what_waits_is_bounded() -> None:
    outgoing = fill(*map(say, range(MAX_WAITING)))
    outgoing.take()
    with pytest.raises(Refused):
        outgoing.add(Item(Ping(), b""))


@pytest.mark.parametrize(("frame", "code"), [(Say("x" * 20_000), "too-long"), (Join("\ud800"), "bad-text")])
def test_what_no_server_could_read_is_refused(frame: ClientFrame, code: str) -> None:
    with pytest.raises(Refused) as caught:
        make_item(frame)
    assert caught.value.code == code
