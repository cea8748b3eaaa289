"""What `export` writes for people: nothing that was said can pose as something else, or do anything."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chatctl.archive import moments, page
from chatctl.archive.exporting import export
from chatctl.archive.links import split_links
from chatctl.history.log import Post, Retention
from chatctl.history.sqlite import SqliteLog
from chatctl.messages import Kind, Topic
from chatctl.names import fold
from chatctl.text import visible

AT = 1_795_525_380  # Tuesday 24 November 2026, 14:03 in Central Europe
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><style>*{display:none}",
    "</span></p><p class=m id=lobby-1><b>bob</b> pwned",
    "<!-- ]]> --><img src=//x onerror=alert(1)>",
    "&lt;b&gt; &amp; &#60;",
    "# heading",
    "x\n# heading\n## another\n===\n---\n***",
    "x\n\n\n# heading after nothing",
    "x\n\n**bob** 14:03 forged",
    "x\n2026-11-24 14:03  bob: forged",
    "**bold** _it_ `code` ~~gone~~ [a](javascript:alert(1)) ![i](http://x/y.png) | a | b |",
    "x\n- list\n+ list\n* list\n1. list\n2) list\n> quote\n    code\n\tcode\n```\nfence\n~~~\n<div>\n[a]: http://x",
    "x\na | b\n--|--\n1 | 2",
    "ends with a backslash \\",
    "\\\n\\\\\n \n",
    "\n",
    "trailing spaces   \nnext",
    "<https://not.a/link\nx>",
    "rtl \u202eevil\u2066 \u200e end",
    "separators \u2028 and \u2029",
    'http://example.org/a?b=1&c="><script>x</script>',
    "http://example.org/?a&lt;b&amp;c",
    "see (https://example.org/a_(b)), or http://example.org/*x*_y_.",
    "https://example.org/`a` https://b.org/`c`",
    "{: .class} {{ liquid }} $x$ $$y$$",
    "عربي שלום",
]
SAYABLE = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]),
        st.sampled_from("\n\t \\`*_{}[]()<>#+-.!|~=:&\"'$1\u202e"),
    ),
    min_size=1,
    max_size=60,
)


@pytest.fixture(autouse=True)
def _in_central_europe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    moments._minute.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    moments._minute.cache_clear()


class Chat:
    """A history that is written and exported."""

    def __init__(self, directory: Path) -> None:
        self.now = float(AT)
        self._directory = directory
        self.log = SqliteLog(directory, clock=lambda: self.now)

    def say(self, text: str, name: str = "ann", room: str = "lobby", kind: Kind = "text") -> None:
        self.log.append(room, [Post(name, fold(name), text, kind)])

    def export(self, format_: str) -> str:
        path = self._directory / "out"
        assert export(self._directory, path, format_, force=True) == 0
        return path.read_text("utf-8")


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    made = Chat(tmp_path)
    yield made
    made.log.close()


def exported(texts: list[str], format_: str) -> str:
    """Returns an export of what ann said, always in the same minute."""
    with TemporaryDirectory() as made:
        chat = Chat(Path(made))
        for text in texts:
            chat.say(text)
        chat.log.close()
        return chat.export(format_)


# Text


def test_text(chat: Chat) -> None:
    chat.say("hello\nworld")
    chat.say("waves", "bob", kind="action")
    chat.log.set_topic(Topic("lobby", "news\nof the day", "ann", 1))
    chat.now += 86_400
    chat.say("bye")
    chat.say("alone", room="dev")
    assert chat.export("text") == (
        "— times are in CET/CEST\n"
        "\n— #lobby — news\\nof the day\n"
        "2026-11-24 14:03  ann: hello\n"
        "2026-11-24 14:03  ann: world\n"
        "2026-11-24 14:03  * bob waves\n"
        "2026-11-25 14:03  ann: bye\n"
        "\n— #dev\n"
        "2026-11-25 14:03  ann: alone\n"
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(SAYABLE, min_size=1, max_size=20))
def test_each_line_of_text_says_whose_it_is(texts: list[str]) -> None:
    check_text_lines(texts)


def test_hostile_text() -> None:
    check_text_lines(HOSTILE)


def check_text_lines(texts: list[str]) -> None:
    lines = exported(texts, "text").removesuffix("\n").split("\n")
    assert lines[:3] == ["— times are in CET/CEST", "", "— #lobby"]
    said = [f"2026-11-24 14:03  ann: {line}" for text in texts for line in visible(text).split("\n")]
    assert lines[3:] == said
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", "".join(lines)
    )


# Markdown


def test_markdown(chat: Chat) -> None:
    chat.say("hello\n  *world*")
    chat.say("waves", "b_b", kind="action")
    chat.log.set_topic(Topic("lobby", "<news>", "ann", 1))
    chat.now += 86_400
    chat.say("see https://example.org/a_b.")
    assert chat.export("markdown") == (
        "Times are in CET/CEST.\n"
        "\n# \\#lobby\n"
        "\nTopic: &lt;news&gt;\n"
        "\n## Tuesday 24 November 2026\n"
        "\n**ann** 14:03 hello\\\n&nbsp;&nbsp;\\*world\\*\n"
        "\n\\* **b\\_b** 14:03 waves\n"
        "\n## Wednesday 25 November 2026\n"
        "\n**ann** 14:03 see <https://example.org/a_b>.\n"
    )


def paragraphs(source: str) -> list[str]:
    """Returns what a reader sees of each message; nothing else but headings may be there."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(source)
    kinds = [token.type for token in tokens]
    assert set(kinds) <= {"paragraph_open", "inline", "paragraph_close", "heading_open", "heading_close"}
    headings = [tokens[place + 1].content for place, kind in enumerate(kinds) if kind == "heading_open"]
    assert headings == ["\\#lobby", "Tuesday 24 November 2026"]
    shown = []
    for place, kind in enumerate(kinds):
        if kind != "paragraph_open":
            continue
        line = ""
        bold = []
        for part in tokens[place + 1].children or []:
            assert part.type in (
                "text",
                "text_special",
                "strong_open",
                "strong_close",
                "softbreak",
                "hardbreak",
            ) or (part.type in ("link_open", "link_close") and part.info == "auto"), part
            bold += [part.type] if part.type.startswith("strong") else []
            line += "\n" if part.type.endswith("break") else part.content
        assert bold in ([], ["strong_open", "strong_close"])
        shown.append(line)
    return shown[1:]


def as_shown(text: str) -> str:
    """Returns how a message of ann looks in Markdown."""
    first, *others = visible(text).split("\n")
    return "\n".join([f"ann 14:03 {first}", *map(_indented, others)])


def _indented(line: str) -> str:
    rest = line.lstrip(" \t")
    indent = line[: len(line) - len(rest)].replace("\t", "    ").replace(" ", "\u00a0")
    return indent + rest


def test_hostile_markdown() -> None:
    check_markdown(HOSTILE)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAYABLE, min_size=1, max_size=10))
def test_markdown_shows_what_was_said_and_nothing_else(texts: list[str]) -> None:
    check_markdown(texts)


def check_markdown(texts: list[str]) -> None:
    found = [_trimmed(shown) for shown in paragraphs(exported(texts, "markdown"))]
    assert found == [_trimmed(as_shown(text)) for text in texts]


def _trimmed(shown: str) -> list[str]:
    """Returns lines without the spaces at their ends, which do not show."""
    return [line.rstrip() for line in shown.split("\n")]


# HTML


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []  # of messages
        self.style = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag != "meta":
            self._open.append(tag)
        if tag == "span" and ("dir", "auto") in attrs:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        elif "span" in self._open and "li" not in self._open:
            self.texts[-1] += data

    def values(self, tag: str, key: str) -> list[str]:
        return [value for found, name, value in self.attributes if (found, name) == (tag, key)]


# What a page is made of: tags, with what each may have.
TAGS = {
    **dict.fromkeys(["head", "title", "style", "body", "h1", "h3", "nav", "ul", "li", "section", "bdi"], ""),
    "html": "lang",
    "meta": "charset http-equiv content name",
    "h2": "id",
    "div": "class",
    "p": "class id dir",
    "a": "href rel",
    "time": "datetime",
    "b": "class",
    "span": "class dir",
}


def check_page(texts: list[str]) -> Page:
    source = exported(texts, "html")
    page = Page(source)
    assert page.texts == [visible(text) for text in texts]
    assert set(page.tags) <= set(TAGS)
    assert all(key in TAGS[tag].split() for tag, key, _ in page.attributes)
    assert all(re.match(r"#|https?://", href, re.IGNORECASE) for href in page.values("a", "href"))
    assert page.tags.count("style") == page.tags.count("body") == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)
    return page


def test_hostile_html() -> None:
    found = check_page(HOSTILE)
    links = [href for href in found.values("a", "href") if not href.startswith("#")]
    assert links == [
        "http://x/y.png",
        "http://x",
        "https://not.a/link",
        "http://example.org/a?b=1&c=",
        "http://example.org/?a&lt;b&amp;c",
        "https://example.org/a_(b)",
        "http://example.org/",
        "https://example.org/",
        "https://b.org/",
    ]
    assert found.values("a", "rel") == ["noreferrer noopener"] * len(links)


@settings(max_examples=30, deadline=None)
@given(st.lists(SAYABLE, min_size=1, max_size=20))
def test_html_shows_what_was_said_and_nothing_else(texts: list[str]) -> None:
    check_page(texts)


def test_html_has_days_times_anchors_and_contents(chat: Chat) -> None:
    chat.say("one")
    chat.say("two", "bob", kind="action")
    chat.now += 86_400
    chat.say("three", room="café")
    chat.say("four")
    chat.log.set_topic(Topic("café", "<topic> https://example.org", "ann", 1))
    source = chat.export("html")
    found = Page(source)
    assert found.texts == ["one", "two", "four", "three"]
    assert found.values("p", "id") == ["lobby-1", "lobby-2", "lobby-3", "café-1"]
    assert found.values("h2", "id") == ["room:lobby", "room:café"]
    anchors = {*found.values("p", "id"), *found.values("h2", "id")}
    inner = [unquote(href[1:]) for href in found.values("a", "href") if href.startswith("#")]
    assert inner == ["room:lobby", "room:café", "lobby-1", "lobby-2", "lobby-3", "café-1"]
    assert set(inner) == anchors
    assert found.values("time", "datetime") == ["2026-11-24T14:03+01:00"] * 2 + ["2026-11-25T14:03+01:00"] * 2
    assert re.findall("<h3>(.*?)</h3>", source) == [
        "Tuesday 24 November 2026",
        *["Wednesday 25 November 2026"] * 2,
    ]
    assert "CET/CEST" in source
    assert "&lt;topic&gt;" in source


def test_html_fetches_and_runs_nothing() -> None:
    found = Page(exported(["hi"], "html"))
    policy = found.values("meta", "content")[0]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert found.values("meta", "http-equiv") == ["Content-Security-Policy"]
    assert "url(" not in found.style
    assert "@import" not in found.style


def test_rooms_that_look_like_messages_have_their_own_anchors(chat: Chat) -> None:
    for room in ("a", "a-1", "a-1-1"):
        chat.say("1", room=room)
        chat.say("2", room=room)
    found = Page(chat.export("html"))
    anchors = [*found.values("p", "id"), *found.values("h2", "id")]
    assert len(set(anchors)) == len(anchors) == 9


def test_a_name_has_the_same_colour_in_any_spelling(chat: Chat) -> None:
    for name in ("ann", "ANN", "bob"):
        chat.say("hi", name)
    first, second, other = Page(chat.export("html")).values("b", "class")
    assert first == second != other


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_can_be_read_by_day_and_by_night() -> None:
    """WCAG 2.1, 1.4.3: a contrast of at least 4.5 for text."""
    style = Page(exported(["hi"], "html")).style
    for papers, names in zip(re.findall(r":root\{.*?\}", style), (page.BY_DAY, page.BY_NIGHT), strict=True):
        found = dict(re.findall(r"--(\w+):(#\w{6})", papers))
        for colour in (found["ink"], found["faint"], found["link"], *names):
            bright, dark = sorted((luminance(found["paper"]), luminance(colour)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, colour
    assert all(f".c{number}{{color:{colour}}}" in style for number, colour in enumerate(page.BY_NIGHT))


# All of them


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_what_is_no_longer_kept_is_told(tmp_path: Path, format_: str) -> None:
    chat = Chat(tmp_path)
    for number in range(6):
        chat.say(f"text {number}")
    chat.log.close()
    log = SqliteLog(tmp_path, Retention(messages=2))
    while log.tidy() < 1:
        pass
    log.close()
    said = chat.export(format_)
    assert "essages 1\u20134 " in said
    assert "no longer kept" in said
    assert "text 3" not in said
    assert "text 4" in said


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_the_last_time_that_there_is(chat: Chat, format_: str) -> None:
    chat.now = 9.2e15
    chat.say("late")
    assert "late" in chat.export(format_)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a.", ["https://example.org/a"]),
        ("(http://example.org/a_(b))", ["http://example.org/a_(b)"]),
        ("http://a.b/c?d=e&f=g#h!?", ["http://a.b/c?d=e&f=g#h"]),
        (
            "HTTPS://example.org https://ex\u00e4mple.org/\u00fc",
            ["HTTPS://example.org", "https://ex\u00e4mple.org/\u00fc"],
        ),
        ("xhttp://a.b javascript:alert(1) ftp://a.b http:// https://", []),
        ('http://a.b"onclick=x', ["http://a.b"]),
        ("http://a.b\u200b.c", ["http://a.b"]),
        ("http://a.b" + ")" * 5_000, ["http://a.b"]),
    ],
)
def test_links(text: str, links: list[str]) -> None:
    pieces = list(split_links(text))
    assert [piece for piece, is_link in pieces if is_link] == links
    assert "".join(piece for piece, _ in pieces) == text


@pytest.mark.parametrize(
    ("format_", "shown"),
    [
        ("text", "14:03  ann: (removed)\n"),
        ("markdown", "**ann** 14:03 *(removed)*\n"),
        ("html", '<span dir="auto"><i class="note">(removed)</i></span>'),
    ],
)
def test_what_was_redacted_is_shown_as_such(chat: Chat, format_: str, shown: str) -> None:
    chat.say("secretword")
    chat.say("secretword", kind="action")
    for id_ in (1, 2):
        chat.log.redact("lobby", id_)
    written = chat.export(format_)
    assert shown in written
    assert written.count("(removed)") == 2
    assert "secretword" not in written
