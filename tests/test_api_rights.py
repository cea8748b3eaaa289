"""Who may do what over HTTP: keys, passwords, roles, private rooms, bans, rates; and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatctl.access.opened import AccessBook
from tests.curl import Api
from tests.helpers import fresh, running_server
from tests.house import PASSWORD, House, act, done, ending
from tests.test_private_rooms import set_mode

KEY = "the-key-of-the-server"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("closed")
    with running_server("--rate", "0", "--data", str(data), "--key", KEY) as server, ExitStack() as clients:
        yield House(server, data, clients)


def invitation(house: House, uses: int | None = 1, room: str | None = None) -> str:
    with AccessBook(house.data) as book:
        return book.keys.invite(room, uses=uses, seconds=600, role="member", by="ann")


# Keys


def test_a_key_is_asked_for_where_one_is_needed(closed: House) -> None:
    for user in ("", "bot:"):
        for answer in (
            Api(closed.server, user).post("lobby", "x"),
            Api(closed.server, user).get("/api/rooms"),
            Api(closed.server, user).get("/api/rooms/lobby/messages"),
            Api(closed.server, user).get("/api/rooms/lobby/search?text=x"),
            Api(closed.server, user).get("/api/rooms/lobby/stream"),
        ):
            assert (answer.status, answer.code) == (401, "auth-required")
            assert answer.headers["www-authenticate"].startswith('Basic realm="chatctl"')
    for path in ("/healthz", "/api/openapi.json"):
        assert Api(closed.server).get(path).status == 200


def test_the_servers_key(closed: House) -> None:
    bot = Api(closed.server, f"bot:{KEY}")
    assert bot.posted("lobby", "by key")
    assert bot.texts("lobby")[-1] == "by key"


def test_an_invitation_is_used_once_however_often_it_is_given(closed: House) -> None:
    key, names = invitation(closed), (fresh("ann"), fresh("bob"))
    ann, bob = (Api(closed.server, f"{name}:{key}") for name in names)
    for text in ("one", "two"):
        assert ann.posted("lobby", text)
        assert ann.texts("lobby")[-1] == text
    refused = bob.post("lobby", "x")
    assert (refused.status, refused.code) == (401, "auth-failed")
    with AccessBook(closed.data) as book:
        guests = [guest for key in book.keys.invitations() for guest in book.keys.guests(key.id)]
    assert [guest for guest in guests if guest in names] == [names[0]]


def test_who_cannot_have_the_name_does_not_use_an_invitation_up(closed: House) -> None:
    key, name = invitation(closed), fresh("held")
    with closed.server.client(name, key=KEY):
        answer = Api(closed.server, f"{name}:{key}").get("/api/rooms")
        assert (answer.status, answer.code) == (409, "name-taken")
    assert Api(closed.server, f"other-{name}:{key}").posted("lobby", "x")


def test_a_personal_key(closed: House) -> None:
    name = fresh("carl")
    with closed.server.raw() as client:
        key = client.hello(name, key=invitation(closed))["key"]
    assert Api(closed.server, f"{name}:{key}").posted("lobby", "x")
    assert Api(closed.server, f"other:{key}").post("lobby", "x").code == "auth-failed"


def test_an_account_needs_its_password_and_no_key(closed: House) -> None:
    name = closed.account("dora")
    assert Api(closed.server, f"{name}:{PASSWORD}").posted("lobby", "x")
    assert Api(closed.server, f"{name}:{KEY}").post("lobby", "x").code == "auth-failed"
    assert Api(closed.server, f"{name}:").post("lobby", "x").code == "auth-required"
    assert Api(closed.server, f"{name.replace('o', '0')}:{KEY}").post("lobby", "x").status == 401


def test_an_account_posts_while_it_is_here(house: House) -> None:
    name = house.account("erin")
    with house.log_in(name) as erin:
        erin.settle()
        assert Api(house.server, f"{name.upper()}:{PASSWORD}").posted("lobby", "from the shell")
        (message,) = erin.settle()
        assert (message["name"], message["text"]) == (name, "from the shell")


def test_what_is_told_to_an_account_that_posts_is_kept_for_it(house: House) -> None:
    name = house.account("fred")
    assert Api(house.server, f"{name}:{PASSWORD}").posted("lobby", "x")
    with house.server.client(fresh("gina")) as gina:
        gina.send("tell", to=name, text="for later", nonce="a")
        gina.settle()
    with house.server.client(name, password=PASSWORD) as fred:
        assert fred.expect("told")["text"] == "for later"


# Rights


def test_rooms_that_not_everybody_may_know(house: House) -> None:
    _, ann = house.staff()
    secret, private, hidden = fresh("secret"), fresh("private"), fresh("hidden")
    for room, modes in [
        (secret, {"invite_only": True, "hidden": True}),
        (private, {"invite_only": True}),
        (hidden, {"hidden": True}),
    ]:
        ann.send("join", room=room)
        ann.say("inside", room=room)
        set_mode(ann, room, **modes)
    bot = Api(house.server, "bot:")
    for path in ("messages", "search?text=inside", "stream"):
        assert bot.get(f"/api/rooms/{secret}/{path}").code == "no-such-room"
        assert bot.get(f"/api/rooms/{hidden}/{path}").code == "no-such-room"
        answer = bot.get(f"/api/rooms/{private}/{path}")
        assert (answer.status, answer.code) == (403, "forbidden")
    assert bot.post(secret, "x").code == "no-such-room"
    assert bot.post(private, "x").code == "forbidden"
    rooms = {line["room"] for line in bot.get("/api/rooms").json["rooms"]}
    assert not rooms & {secret, private, hidden}
    # Those who were let in by an invitation, and moderators, know them.
    guest = Api(house.server, f"guest:{invitation(house, room=secret)}")
    boss = Api(house.server, f"{house.account('boss', 'moderator')}:{PASSWORD}")
    for api in (guest, boss):
        assert "inside" in api.texts(secret)
        assert api.posted(secret, "x")


def test_read_only_rooms_and_those_who_are_muted(house: House) -> None:
    name, ann = house.staff()
    room = fresh("news")
    ann.send("join", room=room)
    ann.say("x", room=room)
    set_mode(ann, room, read_only=True)
    bot = Api(house.server, "bot:")
    assert bot.post(room, "x").code == "forbidden"
    assert Api(house.server, f"{name}:{PASSWORD}").posted(room, "news") == 2
    done(ann, "mute", "loud")
    answer = Api(house.server, "loud:").post("lobby", "x")
    assert (answer.status, answer.code) == (403, "muted")
    assert Api(house.server, "loud:").get("/api/rooms").status == 200
    done(ann, "ban", "bad")
    for answer in (Api(house.server, "bad:").post("lobby", "x"), Api(house.server, "bad:").get("/api/rooms")):
        assert (answer.status, answer.code) == (403, "banned")


def test_guests_make_no_rooms(house: House) -> None:
    guest = Api(house.server, f"{house.account('guest', 'guest')}:{PASSWORD}")
    assert guest.post(fresh("new"), "x").code == "forbidden"
    assert guest.posted("lobby", "x")


def test_whoever_is_banned_follows_no_longer(house: House) -> None:
    _, ann = house.staff(rooms={"lobby": None})
    room = fresh("stays")
    with (
        Api(house.server, "nosy:").following("lobby") as stream,
        Api(house.server, "other:").following("lobby") as other,
    ):
        done(ann, "ban", "nosy")
        assert stream.frame()["code"] == "banned"
        assert stream.ended() == 0
        ann.say(room)
        assert other.texts(1) == [room]


def test_whoever_is_kicked_follows_no_longer(house: House) -> None:
    _, ann = house.staff()
    text = fresh("stays")
    account = house.account("both")
    member = house.log_in(account)
    with (
        Api(house.server, "Curious:").following("lobby") as stream,
        Api(house.server, f"{account}:{PASSWORD}").following(
            "lobby", "", "-H", "Accept: text/event-stream"
        ) as own,
        Api(house.server, "").following("lobby") as other,
    ):
        # This is what shows that they have begun.
        assert [stream.line(), own.line(), own.line(), other.line()] == ["", ": ", "", ""]
        done(ann, "kick", "curious", reason="enough")
        end = stream.frame()
        assert (end["t"], end["code"]) == ("bye", "kicked")
        assert end["text"].endswith(": enough")
        assert stream.ended() == 0
        done(ann, "kick", account)
        assert ending(member)["code"] == "kicked"
        assert own.event()["event"] == "end"
        assert own.ended() == 0
        assert act(ann, "kick", "curious")["code"] == "no-such-user"
        ann.say(text)
        assert other.texts(1) == [text]
    # They may come again, as all who were kicked.
    with Api(house.server, "curious:").following("lobby"):
        pass


def test_who_follows_is_kicked_by_those_who_may_more(house: House) -> None:
    _, ann = house.staff()
    owner = house.account("boss", "owner")
    with Api(house.server, f"{owner}:{PASSWORD}").following("lobby") as stream:
        assert stream.line() == ""
        assert act(ann, "kick", owner)["code"] == "forbidden"
        text = fresh("stays")
        ann.say(text)
        assert stream.texts(1) == [text]


def test_whoever_may_not_enter_a_room_any_more_follows_it_no_longer(house: House) -> None:
    _, ann = house.staff()
    room = fresh("closing")
    ann.send("join", room=room)
    ann.say("x", room=room)
    ann.settle()
    with (
        Api(house.server, "").following(room, "?since=0") as stream,
        Api(house.server, f"let-in:{invitation(house, room=room)}").following(room, "?since=0") as guest,
    ):
        assert stream.texts(1) == guest.texts(1) == ["x"]
        set_mode(ann, room, invite_only=True)
        assert stream.frame()["code"] == "forbidden"
        assert stream.ended() == 0
        ann.say("inside", room=room)
        assert guest.texts(1) == ["inside"]
        with AccessBook(house.data) as book:
            (key,) = [key for key in book.keys.invitations() if key.room == room]
            book.keys.revoke(key.id)
        assert guest.frame()["code"] == "auth-failed"


def test_an_account_that_is_removed_follows_no_longer(house: House) -> None:
    name = house.account("gone")
    with Api(house.server, f"{name}:{PASSWORD}").following("lobby") as stream:
        with AccessBook(house.data) as book:
            book.accounts.remove(name)
        assert stream.frame()["code"] == "auth-required"


# Too much


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    with running_server("--rate", "0.1", "--burst", "3") as server:
        bot = Api(server, "bot:")
        ids = [bot.posted("lobby", "x") for _ in range(3)]
        assert ids == [1, 2, 3]
        answer = bot.post("lobby", "x")
        assert (answer.status, answer.code) == (429, "rate-limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert Api(server, "other:").posted("lobby", "x") == 4
        assert bot.get("/healthz").status == 200


def test_wrong_keys_are_counted(tmp_path: Path) -> None:
    with running_server("--key", KEY, "--data", str(tmp_path), "--rate", "0") as server:
        url = f"http://127.0.0.1:{server.port}/api/rooms"
        statuses = keep_alive(url, [f"bot:wrong-{number}" for number in range(20)])
        # Time takes some of it away again.
        assert statuses[:10] == [401] * 10
        assert statuses[13:] == [429] * 7
        server.expect_logged("is blocked")


def keep_alive(url: str, users: list[str]) -> list[int]:
    """Asks by each of `users`, on one connection; returns the statuses."""
    import base64
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    statuses = []
    for user in users:
        secret = base64.b64encode(user.encode()).decode()
        connection.request("GET", parts.path, headers={"Authorization": f"Basic {secret}"})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses
