"""The page of the chat in a browser: Debian's Chromium, driven by Playwright, against a real server."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from chatctl.client.display.look import Theme
from chatctl.client.display.markup import BAR, markup, mentions
from chatctl.client.display.themes import palette
from chatctl.commands import COMMANDS
from chatctl.names import fold
from chatctl.text import one_line, visible
from chatctl.web import files
from chatctl.web.table import ELSEWHERE, commands
from tests.helpers import SECONDS, RawClient, RunningServer, fixed_port, fresh, running_server, wait_for
from tests.window import Window

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, WebSocketRoute

Scheme = Literal["light", "dark"]

MAX_BYTES = 60_000  # of the files of the page, as they lie there
MAX_LOADED = 30_000  # bytes that a browser loads of them, packed
CHROMIUM = shutil.which("chromium")
KEY = "a-key-for-everyone"
WINDOW = 240  # rows that are on the page at once, at most


def _lacking() -> str:
    """Returns what these tests cannot do without and is not there."""
    if CHROMIUM is None:
        return "chromium is not installed"
    lacking = [name for name in ("axe_core_python", "playwright") if find_spec(name) is None]
    return f"{', '.join(lacking)}: not installed" if lacking else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if lacking := _lacking():
        assert not os.environ.get("CI"), lacking
        pytest.skip(lacking)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


def page_of(server: RunningServer) -> str:
    """Returns the address of the page that a server has."""
    return f"http://{server.host}:{server.port}/"


class Visitor:
    """Somebody at a browser of their own.

    Attributes:
        page: Playwright's.
        faults: what the browser complained about.
    """

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        self.url = url
        self.faults: list[str] = []
        self._context = browser.new_context(**context)
        self._context.set_default_timeout(SECONDS * 1000)
        self._context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.blockedURI))"
        )
        self.page = self._context.new_page()
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        # That a server is away is no fault of the page's.
        if kind in ("error", "warning") and "WebSocket connection to" not in text:
            self.faults.append(text)

    def come_in(self, name: str, query: str = "") -> None:
        self.page.goto(self.url + query)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_role("button", name="Continue").click()
        self.is_in()

    def is_in(self) -> None:
        """Waits until all is there that the server replays."""
        self.focused("say")

    def focused(self, id_: str) -> None:
        """Waits until this is where the keys go."""
        self.page.locator(f"#{id_}:focus").wait_for()

    def until(self, script: str) -> None:
        """Waits until a script returns something true; Playwright's way to do so breaks the page's policy."""
        wait_for(lambda: self.run(script), script)

    @property
    def box(self) -> Locator:
        return self.page.locator("#say")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def sees(self, text: str) -> None:
        """Waits until a message has exactly this text."""
        self.page.locator("#messages .text", has_text=re.compile(f"^{re.escape(text)}$")).first.wait_for()

    def told(self, text: str) -> None:
        """Waits for a line that nobody said, with this in it."""
        self.page.locator(".note", has_text=text).first.wait_for()

    def ids(self) -> list[int]:
        """Returns the ids of the messages that are on the page."""
        found = self.page.locator("#messages [data-id]")
        return [int(each) for each in found.evaluate_all("all => all.map((row) => row.dataset.id)")]

    def hurry(self) -> None:
        """Tries to come back at once, if it waits to."""
        self.run("import('/link.js').then((link) => link.hurry())")

    def run(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def visitor(browser: Browser, server: RunningServer) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, of whom no browser may have complained in the end."""
    with ExitStack() as stack:
        made: list[Visitor] = []

        def make(name: str = "", query: str = "", url: str = "", **context: Any) -> Visitor:
            visitor = Visitor(browser, url or page_of(server), **context)
            stack.callback(visitor.close)
            made.append(visitor)
            if name:
                visitor.come_in(name, query)
            return visitor

        yield make
        assert not [fault for visitor in made for fault in visitor.faults]


@pytest.fixture(scope="module")
def still(browser: Browser, server: RunningServer) -> Iterator[Page]:
    """A page on which nobody comes in, for its modules alone."""
    visitor = Visitor(browser, page_of(server))
    visitor.page.goto(visitor.url)
    yield visitor.page
    visitor.close()


# What is served


def test_all_of_it_is_small() -> None:
    sources = [file for file in resources("chatctl.web").iterdir() if not file.name.endswith(".py")]
    sizes = {file.name: len(file.read_bytes()) for file in sources if file.is_file()}
    assert sum(sizes.values()) <= MAX_BYTES, sizes
    loaded = {path: len(gzip.compress(body)) for path, (_, body) in files().items()}
    assert sum(loaded.values()) <= MAX_LOADED, loaded


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = files()["/"][1].decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script>", page)
    for path, (_, body) in files().items():
        text = body.decode()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), path
        assert not re.search(r"(?:src|href|url|import)\W{1,3}(?:https?:)?//", text), path


def test_the_commands_are_those_of_the_terminal_that_make_sense_here() -> None:
    rows = {row["name"]: row for row in commands()}
    assert list(rows) == [command.name for command in COMMANDS if command.name not in ELSEWHERE]
    assert rows["msg"]["usage"] == "/msg NAME TEXT"
    assert rows["msg"]["completes"] == ["names", "text"]
    tables = files()["/tables.js"][1].decode()
    assert tables.startswith('export const table = [{"name":"help"')


def test_the_page_can_do_each_of_them(still: Page) -> None:
    known = still.evaluate("import('/chat.js').then((chat) => Object.keys(chat.commands))")
    assert {row["name"] for row in commands() if "frame" not in row} == set(known) - {"say"}


# What is the same as in the terminal

NAMES = [
    "ann",
    "Ann",
    "Élise",
    "ÉLISE",
    "straße",
    "STRASSE",
    "Σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "\u0131I",
    "İstanbul",
    "ﬁn",
    "名前",
]
TEXTS = [
    *("plain", "*em* **strong** ***both***", "2 * 3 * 4", "*a*b*", "**a *b* c**", "a*b*c", "(*a*)", "*a\nb*"),
    *("`code` and ``a ` b``", "` no `", "`` `x` ``", "``` not a fence ```", "a `b\nc` d", "*`x`*"),
    *(
        "```\nfenced *x*\n```",
        "before\n```python\ncode\n```\nafter",
        "~~~\n```\n~~~",
        "```\nopen",
        "```\n```",
    ),
    *(
        "see https://example.org/a_(b).",
        "(http://x.org/*y*)",
        "https://x.org/é",
        "xhttps://x.org",
        "HTTPS://[::1]/",
    ),
    *("javascript:alert(1)", "http://", "http://x", "https://x.org/a,b;c'*"),
    *(
        "bob: hi",
        "@bob",
        "bobby bob's",
        "bob-cat bob@x.org foo.bob.org",
        "`bob` https://x.org/bob",
        "BOB, \uff22\uff4f\uff42",
        "«bob»",
    ),
    *("日本*語*です", "😀*a*😀", "a 😀** b **", "****", "* a*", "*a *", "x\t*y*", "**a** **b**", "*a*, *b*."),
]
PIECES = [
    "*",
    "**",
    "***",
    "`",
    "``",
    "```",
    "\n",
    "~~~",
    " ",
    "a",
    "bob",
    "é",
    "字",
    "😀",
    "https://x.org/",
    ")",
    "(",
    ".",
    "-",
    "@",
    "'",
]


def random_texts(count: int) -> list[str]:
    dice = random.Random(4711)
    return ["".join(dice.choices(PIECES, k=dice.randrange(1, 24))) for _ in range(count)]


def test_names_have_the_same_colours(still: Page) -> None:
    dice = random.Random(12)
    letters = "abcdefghijklmnopqrstuvwxyzÄÖÜßéèñçøåβΣςжщ字名前ﬁ\u0131İ0123456789_-."
    names = NAMES + ["".join(dice.choices(letters, k=dice.randrange(1, 12))) for _ in range(100)]
    script = """async (names) => {
        const { colour } = await import("/text.js");
        const shown = document.body.appendChild(document.createElement("i"));
        const all = names.map((name) => {
            shown.className = `name ${colour(name)}`;
            return getComputedStyle(shown).color;
        });
        shown.remove();
        return all;
    }"""
    themes: dict[Scheme, Theme] = {"light": Theme.light, "dark": Theme.dark}
    for scheme, theme in themes.items():
        still.emulate_media(color_scheme=scheme)
        found = still.evaluate(script, names)
        colours = [palette(theme).name_style(name).color for name in names]
        triplets = [tuple(colour.get_truecolor()) for colour in colours if colour]
        assert found == [f"rgb({red}, {green}, {blue})" for red, green, blue in triplets]


def test_names_are_folded_the_same(still: Page) -> None:
    letters = [chr(code) for code in range(0x80, 0x2FFF) if chr(code).isalpha()]
    found = still.evaluate(
        "async (all) => { const { fold } = await import('/text.js'); return all.map(fold); }", letters
    )
    assert found == [fold(letter) for letter in letters]


def test_what_is_not_shown_is_escaped_the_same(still: Page) -> None:
    texts = [chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000] + ["a\u202eb\U000e0041"]
    script = "async (all) => { const text = await import('/text.js'); return all.map(text.%s); }"
    assert still.evaluate(script % "visible", texts) == [visible(text) for text in texts]
    assert still.evaluate(script % "oneLine", texts) == [one_line(text) for text in texts]


def test_texts_are_marked_up_the_same(still: Page) -> None:
    texts = TEXTS + random_texts(400)
    found = still.evaluate(
        """async (texts) => {
            const { markup } = await import("/markup.js");
            const runs = (node, tags) => node.nodeType === 3
                ? [[node.data, tags]]
                : [...node.childNodes].flatMap((child) => runs(child, [...tags, node.tagName ?? "PRE"]));
            return texts.map((text) => runs(markup(text, "Bob"), []));
        }""",
        texts,
    )
    for text, runs in zip(texts, found, strict=True):
        assert _joined((part, frozenset(tags) - {"PRE"}) for part, tags in runs) == _terminal(text), text


def _terminal(text: str) -> list[tuple[str, frozenset[str]]]:
    """Returns what a text looks like in a terminal, in the words of HTML, without line ends around code."""
    colours = palette(Theme.light)
    shown = markup(text, colours, name="Bob")
    runs = []
    for place, character in enumerate(shown.plain):
        styles = [span.style for span in shown.spans if span.start <= place < span.end]
        tags = {"CODE" for style in styles if style in (colours.code, colours.code_block)}
        for style in styles:
            assert not isinstance(style, str)
            tags |= {"A"} if style.link else {"MARK"} if style == colours.mention else set()
            tags |= {"EM"} if style.italic else set()
            tags |= {"STRONG"} if style.bold and style != colours.mention else set()
        runs.append((character, frozenset(tags)))
    return _joined(runs)


def _joined(runs: Any) -> list[tuple[str, frozenset[str]]]:
    """Returns runs of one look each; bars and white space, which a page has other means for, left out."""
    joined: list[tuple[str, frozenset[str]]] = []
    for text, tags in runs:
        kept = "".join(text.replace(BAR.strip(), "").split())
        if kept and joined and joined[-1][1] == tags:
            joined[-1] = joined[-1][0] + kept, tags
        elif kept:
            joined.append((kept, tags))
    return joined


def test_mentions_are_the_same(still: Page) -> None:
    texts = TEXTS + random_texts(200)
    found = still.evaluate(
        "(all) => import('/markup.js').then(({ mentions }) => all.map((text) => mentions(text, 'Bob')))",
        texts,
    )
    assert found == [mentions(text, "Bob") for text in texts]


# Talking


def test_two_browsers_and_a_terminal_talk(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    ann, bob = visitor("ann"), visitor("bob")
    with Window(server, "carla") as carla:
        ann.told("carla joined")
        ann.say("hello from ann")
        bob.sees("hello from ann")
        carla.expect_somewhere("ann: hello from ann")
        bob.box.fill("two")
        bob.box.press("Shift+Enter")
        bob.page.keyboard.type("lines")
        bob.box.press("Enter")
        ann.sees("two\nlines")
        carla.expect_somewhere("bob: two")
        carla.enter("from a `terminal`")
        ann.sees("from a terminal")
        assert ann.page.locator("#messages code").last.text_content() == "terminal"
        ann.say("/me waves")
        bob.page.locator(".action", has_text="ann waves").wait_for()
        carla.expect_somewhere("ann waves")
        carla.enter("/msg bob psst")
        bob.page.locator("#talks .called", has_text="carla").wait_for()
        carla.enter("exit")
        bob.told("carla left")
        assert carla.end() == 0
    assert ann.page.locator(".pending").count() == 0


def test_rooms_count_what_was_not_read(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name, room = fresh("ann"), fresh("room")
    ann = visitor(name)
    ann.say(f"/join {room}")
    ann.page.locator("#title", has_text=f"#{room}").wait_for()
    ann.page.keyboard.press("Alt+ArrowUp")
    ann.page.locator("#title", has_text="#lobby").wait_for()
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        bob.say("one", room=room)
        tab = ann.page.locator(".tab", has_text=room)
        tab.locator(".count", has_text="1").wait_for()
        assert "called" not in (tab.get_attribute("class") or "")
        bob.say(f"{name}: two", room=room)
        ann.page.get_by_role("button", name=f"#{room}, 2 unread, for you").click()
        ann.sees(f"{name}: two")
        assert ann.page.locator(".day.new").count() == 1
        assert tab.locator(".count").count() == 0
        assert ann.page.locator(".msg.called mark").text_content() == name
        ann.page.get_by_role("button", name=f"Leave #{room}").click()
        tab.wait_for(state="detached")
        assert bob.expect("presence")["left"] == [name]


def test_private_messages_are_conversations(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name, other = fresh("ann"), fresh("bob")
    ann = visitor(name)
    with server.client(other) as bob:
        bob.send("tell", to=name, text="psst")
        ann.page.locator("#talks .called", has_text=other).locator(".open").click()
        ann.sees("psst")
        ann.say("yes?")
        assert bob.expect("told")["text"] == "yes?"
        ann.sees("yes?")
        ann.page.reload()
        ann.is_in()
        ann.sees("psst")
        ann.say(f"/msg {fresh('nobody')} are you there")
        ann.page.locator(".failed", has_text="Not delivered").wait_for()


def test_people_come_and_go(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name = fresh("zoe")
    ann = visitor(fresh("ann"))
    with server.client(name):
        ann.page.locator("#people .name", has_text=name).wait_for()
        ann.told(f"{name} joined")
        other = fresh("yan")
        with server.client(other):
            ann.told(f"{name}, {other} joined")
        ann.say(f"/whois {name}")
        ann.told(f"{name} is in #lobby")
        ann.page.locator("#close-panel").click()
        ann.page.locator("#people").wait_for(state="hidden")
        ann.say("/who")
        ann.page.locator("#people .name", has_text=name).wait_for()
    ann.told(f"{name} left")
    assert ann.page.locator("#people .name", has_text=name).count() == 0


def test_names_and_topics_change(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room, name = fresh("room"), fresh("eve")
    ann = visitor(fresh("ann"), f"?room={room}")
    ann.say("/topic all about <b>bees</b>")
    ann.page.locator("#topic", has_text="all about <b>bees</b>").wait_for()
    ann.say(f"/nick {name}")
    ann.told(f"is now {name}")
    assert ann.page.locator("#me").text_content() == name
    ann.say("/nick not/good")
    ann.page.locator(".note.alarm").wait_for()
    ann.say("/nonsense")
    ann.told("there is no /nonsense")
    assert ann.box.input_value() == "/nonsense"
    ann.say("/help")
    ann.told("/msg NAME TEXT")


# What was said before


def flood(client: RawClient, room: str, count: int) -> None:
    lines = (
        json.dumps({"t": "say", "room": room, "text": f"number {n}"}) + "\n" for n in range(1, count + 1)
    )
    client.send_bytes("".join(lines).encode())
    client.settle()


def test_the_history_is_there_by_scrolling(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room = fresh("room")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        flood(bob, room, 400)
        ann = visitor(fresh("ann"), f"?room={room}")
        ann.sees("number 400")
        seen = set(ann.ids())
        while 1 not in seen:
            before = min(ann.ids())
            ann.run("document.getElementById('log').scrollTop = 0")
            wait_for(lambda: min(ann.ids()) < before, "earlier messages")  # noqa: B023 - called at once
            seen |= set(ann.ids())
            assert len(ann.ids()) <= WINDOW
        assert seen >= set(range(1, 300))
        bob.say("number 401", room=room)
        ann.page.locator("#newest", has_text="1 new").click()
        ann.sees("number 401")


def test_what_is_read_stays_where_it_is_while_more_comes(
    visitor: Callable[..., Visitor], server: RunningServer
) -> None:
    room = fresh("room")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        flood(bob, room, 300)
        ann = visitor(fresh("ann"), f"?room={room}")
        ann.sees("number 300")
        ann.run("document.getElementById('log').scrollTop = 100")
        ann.page.locator("#newest").wait_for()
        place = "document.elementFromPoint(500, 300).closest('[data-id]')"
        wait_for(lambda: min(ann.ids()) < 240, "earlier messages")
        where = (
            f"(() => {{ const row = {place}; return [row.dataset.id, row.getBoundingClientRect().top]; }})()"
        )
        before = ann.run(where)
        for _ in range(5):
            bob.say("more", room=room)
        ann.page.locator("#newest", has_text="5 new").wait_for()
        assert ann.run(where) == before


def test_a_message_is_found_and_shown(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room, word = fresh("room"), fresh("needle").replace("-", "")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        bob.say(f"the {word} is here", room=room)
        flood(bob, room, 700)
    ann = visitor(fresh("ann"), f"?room={room}")
    ann.sees("number 700")
    ann.page.keyboard.press("Control+k")
    ann.page.keyboard.type(word)
    ann.page.keyboard.press("Enter")
    ann.page.locator(".hit", has_text=word).click()
    ann.page.locator(".msg.shown", has_text=word).wait_for()
    assert ann.page.locator(".msg.shown").get_attribute("data-id") == "1"


def test_five_thousand_messages_leave_it_quick(
    visitor: Callable[..., Visitor], server: RunningServer
) -> None:
    room = fresh("room")
    ann = visitor(fresh("ann"), f"?room={room}")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        flood(bob, room, 5000)
        ann.sees("number 5000")
        assert len(ann.ids()) <= WINDOW
        ann.say("and still")
        assert bob.expect("msg")["text"] == "and still"
        ann.sees("and still")


# Coming back


def test_nothing_is_lost_or_doubled_across_a_restart(
    visitor: Callable[..., Visitor], browser: Browser, tmp_path: Path
) -> None:
    arguments = ("--data", str(tmp_path), "--rate", "0", "--port", str(fixed_port()))
    with running_server(*arguments) as server:
        ann = visitor("ann", url=page_of(server))
        with server.client("bob") as bob:
            bob.say("before")
            ann.sees("before")
        server.stop()
        ann.page.locator("#line", has_text="Try now").wait_for()
        ann.say("said while away 1")
        ann.say("said while away 2")
        ann.page.locator(".pending").nth(1).wait_for()
        with (
            running_server(*arguments) as again,
            again.client("bob", rooms={"lobby": 1}) as bob,
        ):
            for number in range(5):
                bob.say(f"missed {number}")
            bob.settle()
            ann.hurry()
            assert bob.texts(2) == ["said while away 1", "said while away 2"]
            ann.sees("said while away 2")
            assert ann.page.locator("#line").is_hidden()
            ann.page.locator(".new", has_text="New").wait_for()
            assert ann.ids() == list(range(1, 9))
            assert ann.page.locator(".pending").count() == 0


def test_lines_that_break_lose_nothing(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room = fresh("room")
    ann = visitor()
    lines: list[WebSocketRoute] = []

    def connect(line: WebSocketRoute) -> None:
        lines[:] = [line, line.connect_to_server()]

    ann.page.route_web_socket("**/ws", connect)
    ann.come_in(fresh("ann"), f"?room={room}")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        for number in range(6):
            ann.say(f"ann {number}")
            bob.say(f"bob {number}", room=room)
            if number % 2:
                for end in lines:
                    end.close()
                ann.hurry()
        ann.sees("bob 5")
        ann.sees("ann 5")
        bob.settle()
        page = ann.run(
            "() => [...document.querySelectorAll('#messages .text')].map((row) => row.textContent)"
        )
        assert sorted(page) == sorted(f"{who} {number}" for who in ("ann", "bob") for number in range(6))
        assert ann.ids() == list(range(1, 13))


def test_who_reads_the_newest_does_so_after_coming_back(
    visitor: Callable[..., Visitor], server: RunningServer
) -> None:
    room = fresh("room")
    ann = visitor()
    lines: list[WebSocketRoute] = []
    held: list[str | bytes] = []

    def hold(data: str | bytes) -> None:
        held.append(data)

    def connect(line: WebSocketRoute) -> None:
        is_back = bool(lines)
        lines[:] = [line, line.connect_to_server()]
        if is_back:
            lines[1].on_message(hold)

    ann.page.route_web_socket("**/ws", connect)
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        flood(bob, room, 60)
        ann.come_in(fresh("ann"), f"?room={room}")
        ann.sees("number 60")
        for end in lines:
            end.close()
        ann.page.locator("#line", has_text="Try now").wait_for()
        drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        ann.run(drawn)
        bob.say("missed", room=room)
        bob.settle()
        ann.hurry()
        wait_for(lambda: ann.run("true") and any('"pong"' in str(data) for data in held), "the replay")
        give = "for (const data of all) link.socket.onmessage({ data })"
        ann.run(f"(all) => import('/link.js').then((link) => {{ {give} }})", held)
        ann.run(drawn)
        ann.sees("missed")
        assert ann.page.locator("#newest").is_hidden()


def test_a_reload_goes_on_where_it_was(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name, room = fresh("ann"), fresh("room")
    ann = visitor(name, f"?room={room}")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        flood(bob, room, 60)
        ann.sees("number 60")
        ann.box.fill("a thought that")
        ann.page.goto("about:blank")
        bob.say("meanwhile", room=room)
        bob.settle()
        ann.page.goto(ann.url)
        ann.is_in()
        ann.sees("meanwhile")
        ann.page.locator(".new", has_text="New").wait_for()
        wait_for(lambda: ann.ids() == list(range(1, 62)), "all of them, once")
        assert ann.box.input_value() == "a thought that"
        assert "msg" not in [frame["t"] for frame in bob.settle()]


def test_each_room_has_its_draft(visitor: Callable[..., Visitor]) -> None:
    ann = visitor(fresh("ann"))
    ann.say(f"/join {fresh('other')}")
    ann.page.locator("#title", has_text="other").wait_for()
    ann.box.fill("for the other")
    ann.page.keyboard.press("Alt+1")
    assert ann.box.input_value() == ""
    ann.page.keyboard.press("Alt+2")
    assert ann.box.input_value() == "for the other"


# A server that says anything

LIMITS = {"frame": 16384, "text": 8000}


@contextmanager
def scripted(ann: Visitor, answers: Callable[[dict[str, Any]], list[Any]]) -> Iterator[list[WebSocketRoute]]:
    """Answers each frame of the page with what `answers` returns; frames, or "close"."""
    lines: list[WebSocketRoute] = []

    def connect(line: WebSocketRoute) -> None:
        lines.append(line)
        line.on_message(lambda data: _send(line, *answers(json.loads(data))))

    ann.page.route_web_socket("**/ws", connect)
    yield lines


def _send(line: WebSocketRoute, *frames: Any) -> None:
    for frame in frames:
        if frame == "close":
            line.close()
        else:
            line.send(json.dumps(frame))


def welcoming(frame: dict[str, Any]) -> list[Any]:
    """Answers as a server does on which one is alone."""
    match frame["t"]:
        case "hello":
            welcome = {
                "t": "welcome",
                "v": 1,
                "name": frame["name"],
                "server": "x",
                "session": "s",
                "limits": LIMITS,
            }
            room = {
                "t": "room",
                "room": "lobby",
                "topic": "",
                "count": 1,
                "members": [frame["name"]],
                "last": 0,
            }
            return [welcome, room]
        case "ping":
            return [{"t": "pong", "re": frame.get("n")}]
    return []


def test_a_key_is_taken_from_the_address_and_leaves_it(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    hellos: list[dict[str, Any]] = []

    def answers(frame: dict[str, Any]) -> list[Any]:
        hellos.extend([frame] if frame["t"] == "hello" else [])
        return welcoming(frame)

    with scripted(ann, answers):
        ann.come_in("ann", "?room=ops#K5%2Bx")
    assert hellos[0]["key"] == "K5+x"
    assert hellos[0]["rooms"] == {"ops": None}
    assert ann.page.url == ann.url + "?room=ops"


def test_a_server_with_a_key_lets_in_who_has_it(visitor: Callable[..., Visitor]) -> None:
    with running_server("--key", KEY) as server:
        ann = visitor("ann", f"#{KEY}", url=page_of(server))
        ann.say("in")
        ann.sees("in")
        bob = visitor(url=page_of(server))
        bob.page.goto(bob.url)
        bob.page.get_by_label("Name").fill("bob")
        bob.page.keyboard.press("Enter")
        bob.page.get_by_label("Key").fill(f"not {KEY}")
        bob.page.keyboard.press("Enter")
        bob.page.get_by_role("alert").get_by_text("key").wait_for()
        bob.page.get_by_label("Key").fill(KEY)
        bob.page.keyboard.press("Enter")
        bob.is_in()
        bob.sees("in")


@pytest.mark.parametrize(("wants", "label"), [("key", "Key"), ("password", "Password")])
def test_it_asks_for_what_is_lacking(visitor: Callable[..., Visitor], wants: str, label: str) -> None:
    ann = visitor()

    def answers(frame: dict[str, Any]) -> list[Any]:
        if frame["t"] != "hello" or frame.get(wants) == "secret":
            return welcoming(frame)
        text = f"a {wants} is needed"
        return [{"t": "error", "code": "auth-required", "text": text, "fatal": True, "wants": wants}, "close"]

    with scripted(ann, answers):
        ann.page.goto(ann.url)
        ann.page.get_by_label("Name").fill("ann")
        ann.page.keyboard.press("Enter")
        ann.page.get_by_role("alert").get_by_text(f"a {wants} is needed").wait_for()
        ann.page.get_by_label(label).fill("secret")
        ann.page.keyboard.press("Enter")
        ann.is_in()


@pytest.mark.parametrize(
    "end",
    [
        {"t": "bye", "code": "kicked", "text": "bob removed you"},
        {"t": "error", "code": "banned", "text": "bob removed you", "fatal": True},
    ],
)
def test_who_was_thrown_out_does_not_come_back(visitor: Callable[..., Visitor], end: dict[str, Any]) -> None:
    ann = visitor()
    with scripted(ann, welcoming) as lines:
        ann.come_in("ann")
        _send(lines[0], end)
        lines[0].close()
        ann.page.locator("#line", has_text="bob removed you").wait_for()
        ann.page.get_by_role("button", name="Come in again").wait_for()
        ann.hurry()
        assert ann.run("import('/link.js').then((link) => [link.socket, link.timer])") == [None, None]
        assert len(lines) == 1


def test_what_moderators_do_is_told(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    with scripted(ann, welcoming) as lines:
        ann.come_in("ann")
        for frame in [
            {"t": "msg", "id": 1, "at": 1000, "room": "lobby", "name": "bob", "text": "rude"},
            {"t": "msg", "id": 2, "at": 2000, "room": "lobby", "name": "bob", "text": ""},
            {"t": "redacted", "room": "lobby", "id": 1, "name": "eve", "reason": "rude"},
            {"t": "moderated", "what": "mute", "whom": "bob", "name": "eve", "at": 3000, "room": "lobby"},
            {"t": "mode", "room": "lobby", "read_only": True, "name": "eve"},
            {"t": "account", "name": "ann", "role": "moderator"},
        ]:
            _send(lines[0], frame)
        ann.told("eve removed a message: rude")
        ann.told("eve muted bob")
        ann.told("eve made this room read-only")
        ann.told("You are ann, moderator")
        assert ann.page.locator(".removed").all_text_contents() == ["(removed)", "(removed)"]
        assert ann.page.locator("#mode").text_content() == "read-only"


COMMANDED = [
    ("/kick bob being rude", {"t": "moderate", "what": "kick", "whom": "bob", "reason": "being rude"}),
    (
        "/ban 192.0.2.0/24 2h spam",
        {"t": "moderate", "what": "ban", "whom": "192.0.2.0/24", "seconds": 7200, "reason": "spam"},
    ),
    ("/ban eve for good", {"t": "moderate", "what": "ban", "whom": "eve", "reason": "for good"}),
    ("/unban eve", {"t": "moderate", "what": "unban", "whom": "eve"}),
    ("/banned", {"t": "banned"}),
    ("/mute bob 10m", {"t": "moderate", "what": "mute", "whom": "bob", "seconds": 600}),
    ("/unmute bob", {"t": "moderate", "what": "unmute", "whom": "bob"}),
    ("/op bob", {"t": "moderate", "what": "op", "whom": "bob"}),
    ("/deop bob", {"t": "moderate", "what": "deop", "whom": "bob"}),
    ("/allow bob", {"t": "moderate", "what": "allow", "whom": "bob", "room": "lobby"}),
    ("/disallow bob", {"t": "moderate", "what": "disallow", "whom": "bob", "room": "lobby"}),
    ("/redact #17 rude", {"t": "redact", "room": "lobby", "id": 17, "reason": "rude"}),
    ("/redact bob", {"t": "redact", "room": "lobby", "id": 3}),
    ("/topic-lock on", {"t": "mode", "room": "lobby", "topic_locked": True}),
    ("/mode", {"t": "mode", "room": "lobby"}),
    ("/mode invite-only", {"t": "mode", "room": "lobby", "invite_only": True}),
    ("/mode public", {"t": "mode", "room": "lobby", "invite_only": False}),
    ("/invite 7d", {"t": "invite", "room": "lobby", "seconds": 604_800}),
    ("/invite", {"t": "invite", "room": "lobby"}),
    ("/whois bob", {"t": "whois", "name": "bob"}),
    ("/away", {"t": "away", "text": "away"}),
]
REFUSED = ["/ban eve 2hours", "/mute bob 0m", "/ban eve 9999w", "/kick", "/mode silly", "/op eve now"]


def test_commands_make_the_frames_that_they_do_in_a_terminal(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    frames: list[dict[str, Any]] = []

    def answers(frame: dict[str, Any]) -> list[Any]:
        frames.append({key: value for key, value in frame.items() if key not in ("n", "nonce")})
        said = {"t": "msg", "id": 3, "at": 1000, "room": "lobby", "name": "bob", "text": "rude"}
        return [*welcoming(frame), said] if frame["t"] == "hello" else welcoming(frame)

    with scripted(ann, answers):
        ann.come_in("ann")
        ann.sees("rude")
        frames.clear()
        for text, _ in COMMANDED:
            ann.say(text)
        wait_for(lambda: len(frames) >= len(COMMANDED), "all of them")
        assert frames == [frame for _, frame in COMMANDED]
        for text in REFUSED:
            ann.say(text)
            ann.told(f"that is typed as {text.split()[0]} ")
            assert ann.box.input_value() == text
        assert len(frames) == len(COMMANDED)


def test_answers_about_who_may_do_what_are_told(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    ban = {"what": "ban", "whom": "eve", "name": "bob", "at": 1000, "reason": "spam"}
    user = {"t": "user", "name": "bob", "rooms": ["lobby"], "at": 1000, "idle": 0, "role": "owner"}
    with scripted(ann, welcoming) as lines:
        ann.come_in("ann")
        _send(
            lines[0],
            {"t": "bans", "bans": [ban]},
            {"t": "invited", "key": "K/1", "room": "ops", "uses": 1, "until": 1000, "pin": "P"},
            {"t": "moderated", "what": "unmute", "whom": "eve", "name": "bob", "at": 1000},
            user,
        )
        ann.told("eve is banned for good by bob: spam")
        ann.told("bob lets eve speak again")
        ann.told("silent for 0 s; role: owner")
        port = ann.url.rpartition(":")[2].rstrip("/")
        ann.told(f"chat://127.0.0.1:{port}/ops?pin=P#K%2F1")
        ann.told(f"{ann.url}?room=ops#K%2F1")


@pytest.mark.parametrize(("role", "offered"), [("moderator", True), ("member", False)])
def test_what_takes_more_than_ones_role_is_not_offered(
    visitor: Callable[..., Visitor], role: str, offered: bool
) -> None:
    ann = visitor()
    with scripted(ann, lambda frame: [{**each, "role": role} for each in welcoming(frame)]):
        ann.come_in("ann")
        ann.box.press_sequentially("/")
        choices = ann.page.locator("#choices li bdi")
        choices.first.wait_for()
        shown = choices.all_text_contents()
    assert ("/kick NAME [REASON]" in shown) is offered
    assert "/op NAME" not in shown
    assert "/me TEXT" in shown


def test_who_is_removed_from_a_room_leaves_it(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    ops = {"t": "room", "room": "ops", "topic": "", "count": 1, "members": ["ann"], "last": 0}

    def answers(frame: dict[str, Any]) -> list[Any]:
        return [{**ops, "re": frame["n"]}] if frame["t"] == "join" else welcoming(frame)

    with scripted(ann, answers) as lines:
        ann.come_in("ann")
        ann.say("/join ops")
        ann.page.locator("#title", has_text="#ops").wait_for()
        _send(lines[0], {"t": "presence", "room": "ops", "joined": [], "left": ["ann"], "count": 0})
        ann.page.locator(".tab", has_text="ops").wait_for(state="detached")
        ann.told("You are no longer in #ops.")
        assert ann.page.locator("#title").text_content() == "#lobby"


def test_a_room_that_is_left_as_the_line_breaks_is_gone(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    ops = {"t": "room", "room": "ops", "topic": "", "count": 1, "members": ["ann"], "last": 0}

    def answers(frame: dict[str, Any]) -> list[Any]:
        match frame["t"]:
            case "join":
                return [{**ops, "re": frame["n"]}]
            case "part":
                return ["close"]
        return welcoming(frame)

    with scripted(ann, answers) as lines:
        ann.come_in("ann")
        ann.say("/join ops")
        ann.page.locator("#title", has_text="#ops").wait_for()
        ann.say("/part")
        ann.page.locator("#line", has_text="Try now").wait_for()
        ann.hurry()
        ann.page.locator(".tab", has_text="ops").wait_for(state="detached")
        assert ann.page.locator("#title").text_content() == "#lobby"
        assert len(lines) == 2


def test_what_is_found_in_another_room_leads_there(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    joined: list[str] = []

    def answers(frame: dict[str, Any]) -> list[Any]:
        match frame["t"]:
            case "search":
                said = {"id": 3, "at": 1000, "room": "ops", "name": "bob", "text": "needle"}
                return [{"t": "found", "messages": [said], "more": False, "re": frame["n"]}]
            case "join":
                joined.append(frame["room"])
        return welcoming(frame)

    with scripted(ann, answers):
        ann.come_in("ann")
        ann.say("/search needle")
        ann.page.locator(".hit", has_text="needle").click()
        wait_for(lambda: joined == ["ops"], "that it enters")
        ann.say("/ignore")
        ann.told("You ignore nobody.")
        ann.say("/topic")
        ann.told("Topic: none")


def test_an_account_is_made_and_used(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name = fresh("ann")
    ann = visitor(name)
    ann.say("/register")
    password = ann.page.get_by_label("Password")
    password.wait_for()
    assert password.get_attribute("autocomplete") == "new-password"
    ann.page.keyboard.press("Escape")
    ann.focused("say")
    ann.say("/register my-secret")
    password.fill("correct horse")
    ann.page.keyboard.press("Enter")
    ann.told(f"You are {name}, member")
    bob = visitor(fresh("bob"))
    bob.say(f"/login {name}")
    bob.page.get_by_label("Password").fill("not the horse")
    bob.page.keyboard.press("Enter")
    bob.page.locator(".note.alarm", has_text="password").wait_for()
    bob.say(f"/login {name}")
    assert bob.page.get_by_label("Name").input_value() == name
    bob.page.get_by_label("Password").fill("correct horse")
    bob.page.keyboard.press("Enter")
    bob.told(f"You are {name}, member")
    for each in (ann, bob):
        stored = each.run("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
        assert "horse" not in stored
        assert "my-secret" not in stored


def test_one_is_told_of_what_calls_one(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()
    ann.page.add_init_script(
        """window.shown = [];
        window.Notification = class {
            static permission = "default";
            static requestPermission = async () => (this.permission = "granted");
            constructor(title, { body }) { shown.push([title, body]); }
        };"""
    )
    with scripted(ann, welcoming) as lines:
        ann.come_in("ann")
        offer = ann.page.get_by_role("button", name="Allow notifications")
        offer.click()
        offer.wait_for(state="hidden")
        _send(lines[0], {"t": "told", "at": 1000, "name": "bob", "text": "psst"})
        ann.until("shown.length")
        assert ann.run("shown") == [["bob", "psst"]]


def test_a_room_that_does_not_let_one_in_says_so(visitor: Callable[..., Visitor]) -> None:
    ann = visitor()

    def answers(frame: dict[str, Any]) -> list[Any]:
        if frame["t"] != "hello":
            return welcoming(frame)
        refusal = {"t": "error", "code": "forbidden", "text": "only those who are invited may enter #ops"}
        return [welcoming(frame)[0], refusal]

    with scripted(ann, answers):
        ann.come_in("ann", "?room=ops")
        ann.page.get_by_role("status").get_by_text("only those who are invited may enter #ops").wait_for()


# Hostile content


def test_hostile_texts_are_only_text(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room = fresh("room")
    texts = [
        "<script>window.broken = 1</script><img src=x onerror=window.broken=1>",
        "javascript:alert(1) [x](javascript:alert(1)) data:text/html,x",
        "gpj.\u202eexe.\u2066x",
        "x" * 8000,
        "a\u2028b",
        "🏴\U000e0067\U000e007f",
    ]
    ann = visitor(fresh("ann"), f"?room={room}")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        for text in texts:
            bob.say(text, room=room)
    ann.sees("🏴\\U000e0067\\U000e007f")
    shown = ann.page.locator("#messages .text").all_text_contents()
    assert shown == [visible(text) for text in texts]
    assert ann.page.locator("#messages :is(a, img, script)").count() == 0
    assert ann.run("window.broken") is None
    assert ann.run("document.documentElement.scrollWidth <= innerWidth")
    assert ann.run(
        "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.getElementById('log'))"
    )
    assert ann.run("getComputedStyle(document.querySelector('#messages .text')).unicodeBidi") == "isolate"


def test_links_open_elsewhere_and_tell_nothing(
    visitor: Callable[..., Visitor], server: RunningServer
) -> None:
    ann = visitor(fresh("ann"), f"?room={fresh('room')}")
    ann.say("see https://example.org/x.")
    link = ann.page.locator("#messages a")
    link.wait_for()
    assert link.get_attribute("href") == "https://example.org/x"
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"


# For everyone


def audit(page: Page) -> None:
    """Fails if axe-core finds anything serious."""
    source = resources("axe_core_python").joinpath("axe.min.js").read_text()
    page.evaluate(source)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    serious = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert not serious


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everyone(
    visitor: Callable[..., Visitor], server: RunningServer, scheme: str
) -> None:
    name, room = fresh("ann"), fresh("room")
    ann = visitor(color_scheme=scheme)
    ann.page.goto(ann.url)
    audit(ann.page)
    ann.come_in(name, f"?room={room}")
    with ExitStack() as stack:
        for each in range(16):
            bob = stack.enter_context(server.client(fresh(f"bob{each}"), rooms={room: None}))
            bob.say(f"{name}: *some* `code` https://example.org", room=room)
            bob.send("tell", to=name, text="psst")
            bob.settle()
        ann.page.locator("#talks .open").nth(15).wait_for()
        ann.say("/help")
        ann.box.fill("")
        ann.page.keyboard.type("/")
        ann.page.locator("#choices").wait_for()
        audit(ann.page)
        ann.page.set_viewport_size({"width": 360, "height": 640})
        ann.page.get_by_role("button", name="Rooms", exact=True).click()
        ann.page.locator("#side").wait_for()
        audit(ann.page)


def test_it_fits_a_phone(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    room = fresh("a-rather-long-name-of-a-room")
    ann = visitor(fresh("ann"), f"?room={room}", viewport={"width": 360, "height": 640})
    ann.say("/topic " + "a long topic " * 20)
    ann.say("word " * 100 + "w" * 500)
    ann.page.locator("#messages .text").wait_for()
    assert ann.run("document.documentElement.scrollWidth") == 360
    ann.run("document.getElementById('log').scrollTop = 0")
    ann.page.locator("#newest").wait_for()
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        bob.say("more", room=room)
        ann.page.locator("#newest", has_text="1 new").wait_for()  # that bob came is no message
    assert ann.run("document.getElementById('newest').offsetHeight") < 40  # one line
    assert not ann.page.locator("#side").is_visible()
    ann.page.get_by_role("button", name="Rooms", exact=True).click()
    ann.page.get_by_role("button", name=f"#{room}", exact=True).wait_for()
    ann.page.keyboard.press("Escape")
    ann.page.locator("#side").wait_for(state="hidden")
    ann.page.get_by_role("button", name="People").click()
    ann.page.locator("#people .open").first.wait_for()
    ann.page.mouse.click(5, 300)
    ann.page.locator("#panel").wait_for(state="hidden")
    assert ann.run("document.documentElement.scrollWidth") == 360


def test_a_keyboard_is_enough(visitor: Callable[..., Visitor], server: RunningServer) -> None:
    name, room = fresh("ann"), fresh("keys")
    ann = visitor()
    press, write = ann.page.keyboard.press, ann.page.keyboard.type
    with server.client(fresh("robert"), rooms={room: None}) as robert:
        ann.page.goto(ann.url)
        ann.focused("name")
        write(name)
        press("Enter")
        ann.is_in()
        write("/jo")
        press("Tab")
        write(f"{room}")
        press("Enter")
        ann.page.locator("#title", has_text=room).wait_for()
        write("@rob")
        ann.page.locator("#choices [aria-selected=true]").wait_for()
        press("Enter")
        write("hi")
        press("Enter")
        assert "robert" in robert.expect("msg")["text"]
        press("Control+k")
        ann.focused("query")
        press("Escape")
        ann.focused("say")
        for number, place in enumerate(sorted((room, "lobby")), start=1):
            press(f"Alt+{number}")
            ann.page.locator("#title", has_text=f"#{place}").wait_for()
        seen = set()
        for _ in range(30):
            press("Shift+Tab")
            seen.add(ann.run("document.activeElement.id"))
        assert {"log", "show-people", "leave", "room-name"} <= seen


def test_nothing_moves(visitor: Callable[..., Visitor]) -> None:
    ann = visitor(fresh("ann"), viewport={"width": 360, "height": 640})
    ann.page.get_by_role("button", name="Rooms", exact=True).click()
    assert ann.run("document.getAnimations().length") == 0
    rules = ann.run("[...document.styleSheets].flatMap((s) => [...s.cssRules]).map((r) => r.cssText).join()")
    assert "#side" in rules
    assert not re.search("transition|animation|scroll-behavior|@keyframes", rules)


# Pictures

SAID = [
    ("Dmitri", "I will cut the release after lunch; https://example.org/releases/0.6 says what is in it"),
    ("carla", "Morning! The build on **main** is green again."),
    (
        "carla",
        "One thing is left:\n```python\ndef greet(name: str) -> str:\n    return f'hello, {name}'\n```",
    ),
    ("émile", "Should `greet` take *any* name?"),
    ("Dmitri", "ann: could you look at the changelog?"),
]


def test_pictures(visitor: Callable[..., Visitor], tmp_path: Path) -> None:
    """Those that the README shows are made by this, where CHATCTL_PICTURES names a folder for them."""
    where = Path(os.environ.get("CHATCTL_PICTURES", tmp_path))
    with (
        running_server("--ephemeral") as server,
        ExitStack() as stack,
    ):
        screen = {"width": 1280, "height": 800}
        ann = visitor("ann", url=page_of(server), viewport=screen, reduced_motion="reduce")
        others = {}
        for name in ("carla", "Dmitri", "émile"):
            others[name] = stack.enter_context(server.client(name, rooms={"lobby": None, "ops": None}))
        others["carla"].send("topic", room="lobby", text="What has no room of its own")
        for name, text in SAID:
            others[name].say(text)
            others[name].settle()
        ann.say("/join ops")
        ann.page.locator("#title", has_text="#ops").wait_for()
        ann.page.keyboard.press("Alt+1")
        ann.say("On it. Two entries are missing:\n- the page in the browser\n- `--allow-origin`")
        others["émile"].say("staging is on 0.6", room="ops")
        others["carla"].send("tell", to="ann", text="lunch at one?")
        ann.page.locator("#talks .called").wait_for()
        ann.page.locator(".tab:has(.count)", has_text="ops").wait_for()
        pictures: list[tuple[str, Scheme, int]] = [
            ("light", "light", 1280),
            ("dark", "dark", 1280),
            ("phone", "light", 360),
        ]
        for picture, scheme, width in pictures:
            ann.page.emulate_media(color_scheme=scheme)
            ann.page.set_viewport_size({"width": width, "height": 800 if width > 360 else 720})
            ann.page.screenshot(path=where / f"page-{picture}.png")
            assert (where / f"page-{picture}.png").stat().st_size > 10_000
