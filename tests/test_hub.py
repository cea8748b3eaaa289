"""Who is here under which name, which rooms there are, and private messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.framing import encode, encode_all, server_frames
from chatctl.history.log import Post
from chatctl.history.memory import MemoryLog
from chatctl.messages import (
    LOBBY,
    MAX_AWAY_LISTED,
    MAX_NAMES_LISTED,
    MAX_ROOMS,
    MAX_ROOMS_LISTED,
    MAX_SERVER_FRAME,
    Away,
    Frame,
    Kind,
    Members,
    Presence,
    Renamed,
    Role,
    RoomLine,
    Rooms,
    ServerFrame,
    Told,
    Topic,
    User,
    Whois,
)
from chatctl.server.hub import Hub
from chatctl.server.people import NOBODY, Device, People
from chatctl.server.room import PostSet, Room
from tests.helpers import SECONDS


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


class Guest:
    """A member that keeps what it is sent."""

    role: Role = "member"

    def __init__(self) -> None:
        self.name = self.author = self.agent = ""
        self.address = "10.0.0.7"
        self.person = NOBODY
        self.at = self.fetched = 0
        self.rooms: dict[str, Room] = {}
        self.barred: set[str] = set()
        self.quiet = 0.0
        self.encode: Callable[[Iterable[Frame]], bytes] = encode_all
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def may_enter(self, room: str) -> bool:
        return room not in self.barred

    def caught_up(self) -> bool:
        return True

    def idle(self) -> float:
        return self.quiet

    def fetch_mail(self) -> None:
        self.fetched += 1

    def frames(self) -> list[ServerFrame]:
        got = server_frames().feed(b"".join(self.sent))
        self.sent.clear()
        return got  # type: ignore[return-value]  # a fault would fail the test all the same


def anything(_: str) -> bool:
    """Says that all may be known."""
    return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def book() -> Iterator[AccessBook]:
    with AccessBook(None) as book:
        yield book


@pytest.fixture
def hub(log: MemoryLog, book: AccessBook, clock: Clock) -> Hub:
    return Hub(log, People(book.accounts, clock), book.mail, clock)


def come(hub: Hub, name: str, account: str = "") -> Guest:
    guest = Guest()
    hub.people.come(guest, name, account)
    return guest


def claim(hub: Hub, guest: Guest, name: str) -> None:
    """Has a guest come in under a name, or take another one."""
    if guest.name:
        hub.people.rename(guest, name)
    else:
        hub.people.come(guest, name)


def find(hub: Hub, name: str) -> Device | None:
    """Returns the connection of who is called `name`, if they have but one."""
    person = hub.people.find(name)
    if person is None:
        return None
    (device,) = person.devices
    return device


def tell(hub: Hub, sender: Guest, to: str, text: str, kind: Kind, nonce: str | None) -> int:
    return hub.tell(sender, to, text, kind, nonce)[0]


def refusal(hub: Hub, member: Guest, name: str) -> str | None:
    """Returns the code with which `name` is refused to `member`, if it is."""
    try:
        claim(hub, member, name)
    except Refused as refused:
        return refused.code
    return None


def speak(room: Room, guest: Guest, text: str = "hi") -> None:
    room.publish(PostSet(guest, [Post(guest.name, guest.author, text)], [None], False, len(text)))


# Names


def test_a_name_is_had_until_it_is_given_back(hub: Hub) -> None:
    ann = come(hub, "Ann")
    assert (ann.name, ann.author) == ("Ann", "ann")
    assert find(hub, "Ann") is find(hub, "aNN") is ann
    assert refusal(hub, Guest(), "Ann") == "name-taken"
    hub.people.release(ann)
    assert (ann.name, ann.author) == ("", "")
    assert find(hub, "Ann") is None
    hub.people.release(ann)
    assert refusal(hub, Guest(), "Ann") is None


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("ann", "ANN", True),
        ("mark", "MARK", True),  # M does not look like rn, but is m
        ("ian", "Ian", True),
        ("straße", "STRASSE", True),
        ("mark", "rnark", True),
        ("anna", "\u0430nna", True),
        ("paypal", "\u03a1ay\u03a1al", True),
        ("otto", "0tto", True),
        ("lan", "Ian", True),
        ("ann", "anna", False),
        ("a.b", "a-b", False),
        ("jose", "josé", False),
    ],
)
def test_a_name_that_is_the_same_or_looks_the_same_is_taken(
    hub: Hub, first: str, second: str, taken: bool
) -> None:
    for one, other in ((first, second), (second, first)):
        ann, bob = come(hub, one), Guest()
        assert refusal(hub, bob, other) == ("name-taken" if taken else None)
        assert bob.name == ("" if taken else other)
        hub.people.release(ann)
        assert refusal(hub, bob, other) is None
        hub.people.release(bob)


@pytest.mark.parametrize("name", ["ANN", "Ann", "\u0430nn", "ann"])
def test_one_may_spell_its_own_name_in_another_way(hub: Hub, name: str) -> None:
    ann = come(hub, "ann")
    claim(hub, ann, name)
    assert ann.name == name
    assert find(hub, name) is ann
    assert hub.who(None, None).names == [name]
    assert refusal(hub, Guest(), "ann") == "name-taken"


def test_a_new_name_frees_the_old_one(hub: Hub) -> None:
    ann = come(hub, "mark")
    claim(hub, ann, "bob")
    assert find(hub, "mark") is None
    assert find(hub, "bob") is ann
    for name in ("mark", "rnartin"):
        come(hub, name)
    assert refusal(hub, Guest(), "BOB") == "name-taken"


def test_a_refused_name_leaves_the_old_one(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    assert refusal(hub, bob, "Ann") == "name-taken"
    assert bob.name == "bob"
    assert find(hub, "bob") is bob
    assert find(hub, "ann") is ann


def test_only_one_of_many_gets_a_name(hub: Hub) -> None:
    answers: list[str | None] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait(SECONDS)
        answers.append(refusal(hub, Guest(), "ann"))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, answers)) == ["None"] + ["name-taken"] * 7


# Rooms


def test_the_lobby_is_always_there(hub: Hub) -> None:
    lobby = hub.room(LOBBY)
    assert lobby is not None
    assert hub.open_room(LOBBY) is lobby
    hub.close_if_unused(lobby)
    assert hub.room(LOBBY) is lobby
    assert not lobby.closed


def test_a_room_is_made_once(hub: Hub) -> None:
    assert hub.room("tea") is None
    tea = hub.open_room("tea")
    assert hub.open_room("tea") is hub.room("tea") is tea


def test_threads_that_open_a_room_get_the_same(hub: Hub) -> None:
    opened: list[Room] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait(SECONDS)
        opened.extend(hub.open_room(f"r{number}") for number in range(50))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 400
    assert len(set(opened)) == 50


@pytest.mark.parametrize(
    ("inside", "said", "topic", "kept"),
    [
        (False, False, False, False),
        (True, False, False, True),
        (False, True, False, True),
        (False, False, True, True),
    ],
)
def test_a_room_of_which_nothing_is_left_is_dropped(
    hub: Hub, inside: bool, said: bool, topic: bool, kept: bool
) -> None:
    ann = come(hub, "ann")
    tea = hub.open_room("tea")
    assert tea.enter(ann, None, 0, None)
    if said:
        speak(tea, ann)
    if topic:
        tea.set_topic(ann, "green", None)
    if not inside:
        tea.leave(ann)
    hub.close_if_unused(tea)
    assert (hub.room("tea") is tea) is kept
    assert tea.closed is not kept
    assert (hub.open_room("tea") is tea) is kept


def test_when_there_are_too_many_rooms_the_oldest_empty_one_goes(hub: Hub, log: MemoryLog) -> None:
    ann = come(hub, "ann")
    rooms = [hub.open_room(f"r{number}") for number in range(MAX_ROOMS - 1)]
    for room in rooms[:3]:
        assert room.enter(ann, None, 0, None)
        speak(room, ann)
    for room in rooms[1:3]:
        room.leave(ann)
    assert log.bounds("r1") == (1, 1)
    assert hub.open_room("r5") is rooms[5]  # no place is needed for a room that is there

    new = hub.open_room("new")
    assert hub.room("new") is new
    assert hub.room("r0") is rooms[0]  # somebody is in it
    assert (hub.room("r1"), rooms[1].closed) == (None, True)
    assert log.bounds("r1") == (1, 0)
    assert hub.room("r2") is rooms[2]
    assert log.bounds("r2") == (1, 1)
    assert len(hub.list_rooms(anything, None).rooms) == MAX_ROOMS
    assert not rooms[1].enter(ann, None, 0, None)

    again = hub.open_room("r1")  # takes the place of r2
    assert again is not rooms[1]
    assert again.newest == 0
    assert hub.room("r2") is None


def test_when_somebody_is_in_each_there_is_no_place(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.server.hub.MAX_ROOMS", 3)
    ann = come(hub, "ann")
    for name in ("tea", "milk"):
        assert hub.open_room(name).enter(ann, None, 0, None)
    with pytest.raises(Refused) as refused:
        hub.open_room("sugar")
    assert refused.value.code == "server-full"
    assert hub.room("sugar") is None
    assert hub.room(LOBBY)
    milk = hub.open_room("milk")
    milk.leave(ann)
    assert hub.open_room("sugar")
    assert hub.room("milk") is None


def test_presence_of_all_rooms_is_flushed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.server.room.SMALL_ROOM", 1)
    ann, bob = come(hub, "ann"), come(hub, "bob")
    for name in (LOBBY, "tea"):
        for guest in (ann, bob):
            assert hub.open_room(name).enter(guest, None, 0, None)
    ann.frames()
    hub.flush_presence()
    assert {frame.room for frame in ann.frames()} == {LOBBY, "tea"}  # type: ignore[union-attr]  # presence all of them


# Questions


def test_who(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    assert hub.open_room("tea").enter(bob, None, 0, None)
    assert hub.who(None, 3) == Members(names=["ann", "bob"], count=2, re=3)
    assert hub.who("tea", None) == Members(names=["bob"], count=1, room="tea")
    assert hub.who(LOBBY, 4) == Members(names=[], count=0, room=LOBBY, re=4)
    assert hub.who("nowhere", 5) == Members(names=[], count=0, room="nowhere", re=5)
    assert hub.room("nowhere") is None
    hub.people.release(ann)
    assert hub.who(None, None).names == ["bob"]


def test_who_tells_who_is_away(hub: Hub) -> None:
    ann, bob, eve = (come(hub, name) for name in ("ann", "bob", "eve"))
    for guest in (ann, bob):
        assert hub.open_room("tea").enter(guest, None, 0, None)
    bob.person.away, eve.person.away = "lunch", "asleep"
    assert hub.who(None, 1).away == ["bob", "eve"]
    assert hub.who("tea", 2) == Members(names=["ann", "bob"], count=2, room="tea", away=["bob"], re=2)
    bob.person.away = ""
    assert hub.who("tea", 3).away == []
    assert b"away" not in encode(hub.who("tea", 3))


def test_who_is_cut_and_the_count_is_not(hub: Hub) -> None:
    tea = hub.open_room("tea")
    longest = "\U00010428" * 27  # each takes four bytes
    for number in range(MAX_NAMES_LISTED + 1):
        guest = come(hub, f"{longest}{number:05d}")
        guest.person.away = "lunch"
        assert tea.enter(guest, None, 0, None)
    for answer in (hub.who(None, 1), hub.who("tea", 1)):
        assert answer.count == MAX_NAMES_LISTED + 1
        assert len(answer.names) == MAX_NAMES_LISTED
        assert answer.names[0] == f"{longest}00000"
        assert answer.away == answer.names[:MAX_AWAY_LISTED]
        assert len(encode(answer)) <= MAX_SERVER_FRAME


def test_whois(hub: Hub, clock: Clock) -> None:
    come(hub, "Bob")
    assert hub.whois(Whois("bob", 1), anything) == User(name="Bob", rooms=[], at=1_000_000_250, idle=0, re=1)
    clock.now += 7
    ann = come(hub, "ann")
    for name in ("tea", LOBBY):
        ann.rooms[name] = hub.open_room(name)
    ann.quiet, ann.person.away, ann.agent = 61.9, "lunch", "test/1"
    assert hub.whois(Whois("ANN"), anything) == User(
        name="ann", rooms=["tea", LOBBY], at=1_000_007_250, idle=61, away="lunch", agent="test/1"
    )


def test_when_someone_came_in_is_kept_with_another_name(hub: Hub, clock: Clock) -> None:
    ann = come(hub, "ann")
    clock.now += 7
    claim(hub, ann, "anna")
    assert hub.whois(Whois("anna"), anything).at == 1_000_000_250
    hub.people.release(ann)
    claim(hub, ann, "ann")
    assert hub.whois(Whois("ann"), anything).at == 1_000_007_250


def test_whois_tells_some_where_others_come_from(hub: Hub) -> None:
    come(hub, "ann")
    assert hub.whois(Whois("ann"), anything).address is None
    assert hub.whois(Whois("ann"), anything, addresses=True).address == "10.0.0.7"


def test_whois_shows_rooms_that_may_be_known(hub: Hub) -> None:
    ann = come(hub, "ann")
    for name in ("dev", "tea"):
        assert hub.open_room(name).enter(ann, None, 0, None)
    assert hub.whois(Whois("ann"), lambda room: room != "tea").rooms == ["dev"]
    assert [line.room for line in hub.list_rooms(lambda room: room != "tea", None).rooms] == ["dev", LOBBY]


def test_whois_shows_some_of_many_rooms(hub: Hub) -> None:
    ann = come(hub, "ann")
    for number in range(MAX_ROOMS_LISTED + 1):
        ann.rooms[f"room-{number}"] = hub.open_room(f"room-{number}")
    assert hub.whois(Whois("ann"), anything).rooms == [f"room-{number}" for number in range(MAX_ROOMS_LISTED)]


@pytest.mark.parametrize("name", ["eve", "", "a", "ann ", "\ud800"])
def test_whois_nobody(hub: Hub, name: str) -> None:
    come(hub, "ann")
    with pytest.raises(Refused) as refused:
        hub.whois(Whois(name, 3), anything)
    assert refused.value.code == "no-such-user"


def test_the_list_of_rooms(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    tea, milk = hub.open_room("tea"), hub.open_room("milk")
    for guest in (ann, bob):
        assert tea.enter(guest, None, 0, None)
    tea.set_topic(ann, "green", None)
    speak(tea, ann)
    assert hub.list_rooms(anything, 6) == Rooms(
        [RoomLine("tea", 2, "green", 1), RoomLine("lobby", 0, "", 0), RoomLine("milk", 0, "", 0)], 6
    )
    hub.close_if_unused(milk)
    assert [line.room for line in hub.list_rooms(anything, None).rooms] == ["tea", "lobby"]


@pytest.mark.parametrize("topic", ['"' * 400, "\t" * 400, "\U0001f600" * 100, "x" * 400])
def test_the_list_of_rooms_fits_into_a_frame(hub: Hub, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.server.hub.MAX_ROOMS", 10 * MAX_ROOMS)
    for number in range(3 * MAX_ROOMS):
        hub.open_room(f"{number:04d}".rjust(48, "\U00010428")).topic = topic
    rooms = hub.list_rooms(anything, 2**53 - 1)
    assert 400 < len(rooms.rooms) < 3 * MAX_ROOMS
    assert len(encode(rooms)) <= MAX_SERVER_FRAME


def test_rooms_that_are_only_in_the_log_are_listed_too(log: MemoryLog, book: AccessBook) -> None:
    log.append("attic", [Post("ann", "ann", "x")] * 3)
    log.set_topic(Topic("attic", "old things", "ann", 1))
    hub = Hub(log, People(book.accounts), book.mail)
    hub.open_room("empty").enter(come(hub, "bob"), None, 0, None)
    assert hub.list_rooms(anything, 4) == Rooms(
        [RoomLine("empty", 1, "", 0), RoomLine("attic", 0, "old things", 3), RoomLine("lobby", 0, "", 0)], 4
    )
    hub.open_room("attic").enter(come(hub, "eve"), None, 0, None)
    assert RoomLine("attic", 1, "old things", 3) in hub.list_rooms(anything, None).rooms


def test_there_is_an_end_to_the_rooms_that_are_kept(
    hub: Hub, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatctl.server.hub.MAX_KEPT_ROOMS", 2)
    for room in ("attic", "cellar"):
        log.append(room, [Post("ann", "ann", "x")])
    with pytest.raises(Refused) as refused:
        hub.open_room("shed")
    assert refused.value.code == "server-full"
    assert hub.open_room("attic").newest == 1


def test_waiting_for_a_name_ends_when_it_is_given_back(hub: Hub) -> None:
    ann = come(hub, "ann")
    waiting = threading.Thread(target=hub.people.wait_released, args=(ann, SECONDS), daemon=True)
    waiting.start()
    hub.people.wait_released(ann, 0.01)
    assert waiting.is_alive()
    hub.people.release(ann)
    waiting.join(SECONDS)
    assert not waiting.is_alive()


def test_all_rooms_are_listed_as_long_as_they_fit(hub: Hub) -> None:
    for number in range(MAX_ROOMS - 1):
        hub.open_room(f"room-{number}")
    assert len(hub.list_rooms(anything, None).rooms) == MAX_ROOMS


# Private messages


def test_tell(hub: Hub, clock: Clock) -> None:
    ann, bob = come(hub, "Ann"), come(hub, "bob")
    assert tell(hub, ann, "BOB", "psst\n", "text", None) == 1_000_000_250
    clock.now += 1
    assert tell(hub, ann, "bob", "winks", "action", "n") == 1_000_001_250
    assert bob.frames() == [
        Told(1_000_000_250, "Ann", "psst\n"),
        Told(1_000_001_250, "Ann", "winks", "action"),
    ]
    assert ann.sent == []
    assert tell(hub, ann, "ann", "note", "text", None)
    assert len(ann.frames()) == 1


def test_whoever_tells_something_to_someone_away_is_told_so(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "Bob")
    bob.person.away = "lunch"
    tell(hub, ann, "bob", "psst", "text", "n")
    assert ann.frames() == [Away("Bob", "lunch")]
    tell(hub, ann, "bob", "psst", "text", "n")  # a repeat
    assert ann.sent == []
    tell(hub, ann, "bob", "psst", "text", None)
    assert ann.frames() == [Away("Bob", "lunch")]
    bob.person.away = ""
    tell(hub, ann, "bob", "psst", "text", None)
    assert ann.sent == []
    assert len(bob.frames()) == 3


@pytest.mark.parametrize("to", ["eve", "", "b", "b\u043eb", "bob ", "\ud800"])
def test_tell_nobody(hub: Hub, to: str) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    with pytest.raises(Refused) as refused:
        tell(hub, ann, to, "psst", "text", "n")
    assert refused.value.code == "no-such-user"
    assert bob.sent == []
    assert tell(hub, ann, "bob", "psst", "text", "n")  # what was refused was not said
    assert len(bob.frames()) == 1


@pytest.mark.parametrize(("seconds", "again"), [(0, False), (600, False), (601, True)])
def test_a_repeated_tell_is_answered_and_not_told_again(
    hub: Hub, clock: Clock, seconds: float, again: bool
) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    first = tell(hub, ann, "bob", "psst", "text", "n")
    clock.now += seconds
    assert (tell(hub, ann, "bob", "psst", "text", "n") == first) is not again
    assert len(bob.frames()) == 1 + again


def test_nonces_of_tells_are_each_senders_own(hub: Hub) -> None:
    ann, bob, eve = come(hub, "ann"), come(hub, "bob"), come(hub, "eve")
    for sender in (ann, bob):
        for nonce in ("1", "2", None, None):
            tell(hub, sender, "eve", "psst", "text", nonce)
    assert len(eve.frames()) == 8


def test_a_tell_repeated_over_a_new_connection(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    first = tell(hub, ann, "bob", "psst", "text", "n")
    hub.people.release(ann)
    again = come(hub, "Ann")
    assert tell(hub, again, "bob", "psst", "text", "n") == first
    assert len(bob.frames()) == 1


def test_a_tell_repeated_after_the_other_left_is_still_accepted(hub: Hub) -> None:
    ann, bob = come(hub, "ann"), come(hub, "bob")
    first = tell(hub, ann, "bob", "psst", "text", "n")
    hub.people.release(bob)
    assert tell(hub, ann, "bob", "psst", "text", "n") == first


# Accounts, and their devices


def test_what_is_told_to_an_account_that_is_not_here_is_kept(hub: Hub, book: AccessBook) -> None:
    book.accounts.add("Eve", "a password")
    ann = come(hub, "ann")
    assert hub.tell(ann, "EVE", "psst", "text", "n") == (1_000_000_250, True)
    assert hub.tell(ann, "eve", "psst", "text", "n") == (1_000_000_250, False)  # a repeat
    assert book.mail.waiting("eve") == ([Told(1_000_000_250, "ann", "psst")], 1)
    assert ann.sent == []


def test_who_comes_while_a_message_is_kept_gets_it(
    hub: Hub, book: AccessBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.accounts.add("eve", "a password")
    here: list[Guest] = []
    put = book.mail.put

    def put_slowly(author: str, told: Told) -> None:
        put(author, told)
        here.append(come(hub, "eve", "eve"))

    monkeypatch.setattr(book.mail, "put", put_slowly)
    assert hub.tell(come(hub, "ann"), "eve", "psst", "text", None)[1]
    assert [guest.fetched for guest in here] == [1]


def test_devices_of_an_account_are_one_person(hub: Hub, book: AccessBook) -> None:
    eve = book.accounts.add("Eve", "a password")
    first, second, third = come(hub, "Eve", "eve"), come(hub, "Eve", "eve"), come(hub, "guest")
    hub.people.log_in(third, eve)
    assert {guest.name for guest in (first, second, third)} == {"Eve"}
    assert hub.who(None, None).names == ["Eve"]
    assert refusal(hub, second, "eva") == "forbidden"
    for guest in (first, third):
        hub.people.release(guest)
    assert refusal(hub, second, "eva") is None
    assert find(hub, "eve") is find(hub, "eva") is second
    assert refusal(hub, Guest(), "eve") == "name-taken"
    hub.people.release(second)
    assert hub.who(None, None).names == []
    assert refusal(hub, Guest(), "\u0435ve") == "name-taken"


def test_a_room_counts_people_and_tells_of_the_first_and_the_last_device(hub: Hub, book: AccessBook) -> None:
    eve = book.accounts.add("Eve", "a password")
    room = hub.open_room("tea")
    ann, first, second, third = (come(hub, name) for name in ("ann", "one", "two", "three"))
    for guest in (ann, first, second, third):
        assert room.enter(guest, None, 0, None)
    ann.frames()
    for guest, old in ((first, "one"), (second, "two"), (third, "three")):
        hub.people.log_in(guest, eve)
        room.rename(guest, old, set())
    assert ann.frames() == [
        Renamed("one", "Eve"),
        Presence(room="tea", joined=[], left=["two"], count=3),
        Presence(room="tea", joined=[], left=["three"], count=2),
    ]
    assert room.count == 2
    for guest in (second, first):
        room.leave(guest)
    assert ann.sent == []
    room.leave(third)
    assert ann.frames() == [Presence(room="tea", joined=[], left=["Eve"], count=1)]
