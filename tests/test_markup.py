"""What a text looks like: what is understood as markup, what is left alone, and that it takes no time."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style
from rich.text import Text

from chatctl.client.display.entry import Entry
from chatctl.client.display.literals import MAX_LITERALS
from chatctl.client.display.look import Theme
from chatctl.client.display.markup import BAR, MAX_EMPHASIS, MAX_NAMED, markup, mentions
from chatctl.client.display.themes import palette
from chatctl.text import MAX_TEXT, check_text, visible

DARK = palette(Theme.dark)
BOLD, ITALIC = Style(bold=True), Style(italic=True)

thorough = settings(deadline=None, database=None)


def looks(text: str, name: str = "") -> tuple[str, list[tuple[str, Style]]]:
    """Returns what is shown, and which parts of it in which style; of links only what they look like."""
    shown = markup(text, DARK, name=name)
    spans = sorted(shown.spans, key=lambda span: (span.start, -span.end))
    return shown.plain, [(shown.plain[start:end], _without_link(style)) for start, end, style in spans]


def _without_link(style: str | Style) -> Style:
    assert isinstance(style, Style)
    return style.update_link(None)


def links(text: str) -> list[str]:
    """Returns the addresses that can be opened, each of which is all that is shown of it."""
    shown = markup(text, DARK)
    found = []
    for start, end, style in shown.spans:
        if isinstance(style, Style) and style.link is not None:
            assert style.link == shown.plain[start:end]
            found.append(style.link)
    return found


# Emphasis


@pytest.mark.parametrize(
    ("text", "shown", "parts"),
    [
        ("**bold**", "bold", [("bold", BOLD)]),
        ("*italic*", "italic", [("italic", ITALIC)]),
        ("***both***", "both", [("both", BOLD + ITALIC)]),
        ("a **b c** d", "a b c d", [("b c", BOLD)]),
        ("*a* *b*", "a b", [("a", ITALIC), ("b", ITALIC)]),
        ('(*a*), "**b**"!', '(a), "b"!', [("a", ITALIC), ("b", BOLD)]),
        ("**now!** *why?*", "now! why?", [("now!", BOLD), ("why?", ITALIC)]),
        ("**one *two* three**", "one two three", [("one two three", BOLD), ("two", ITALIC)]),
        ("*one **two** three*", "one two three", [("one two three", ITALIC), ("two", BOLD)]),
        ("*a **b* c**", "a **b c**", [("a **b", ITALIC)]),
        ("*a *b*", "*a b", [("b", ITALIC)]),
        ("**/join** #dev", "/join #dev", [("/join", BOLD)]),
        ("**-5** **--flag** *@bob* **#dev**", "-5 --flag @bob #dev", None),
        ("**Bob**'s", "Bob's", [("Bob", BOLD)]),
        ("*é* **ß**", "é ß", [("é", ITALIC), ("ß", BOLD)]),
        ("这是**重点**吗", "这是重点吗", [("重点", BOLD)]),
        ("\uff08*x*\uff09…*y*…", "\uff08x\uff09…y…", [("x", ITALIC), ("y", ITALIC)]),
        ("*a*\n**b**", "a\nb", [("a", ITALIC), ("b", BOLD)]),
        ("*a\n*b*", "*a\nb", [("b", ITALIC)]),
        ("**see `a*b` now**", "see a*b now", [("see a*b now", BOLD), ("a*b", DARK.code)]),
        ("*`x`*", "x", None),
    ],
)
def test_emphasis(text: str, shown: str, parts: list[tuple[str, Style]] | None) -> None:
    plain, found = looks(text)
    assert plain == shown
    assert parts is None or found == parts


@pytest.mark.parametrize(
    "text",
    [
        *("2*3*4", "2 * 3 * 4", "2**3**4", "a*b", "(a)*(b)*c", "a ** b", "x = *p * *q", "y*(*p)*z"),
        *("snake_case", "__init__", "_a_", "~~a~~", "# a", "> a", "* one\n* two", "- a", "1. a"),
        *("/* comment */", "/*comment*/", "/** doc */", "//*", "*/", "/*", "a /* b */ *c"),
        *("*", "**", "***", "****", "* *", "** **", "*a", "a*", "**a", "**a*", "*a**", "****a****"),
        *("* a *", "*a *", "* a*", "** a**", "*a\nb*", "**a\n\nb**"),
        *("*.txt and foo.*", "*.*", "src/**/test/**", "**/a/**", "rm *~ *.bak", "*/5 * * * *"),
        *("f(*args, **kwargs)", "{**a, **b}", "int *a, *b;", "char **argv", "printf('%*d', *p)"),
        *(":* :-* *_* *-* ^*^ *.* >*< *\\o/*", "f*** this s***", "5* hotel, 4* motel", "*their"),
        *("\\*a\\*", '"*" and "*"', "“*” and “*”", "(*) or (*)", "[*]", "'**'"),
        *("a*b*c *", "*a 2*3 b*", "e\u0301*x*e\u0301", "é*x*é", "*\u00a0x\u00a0*"),
    ],
)
def test_what_may_be_something_else_stays_as_it_is(text: str) -> None:
    assert looks(text) == (text, [])


# Code


@pytest.mark.parametrize(
    ("text", "shown", "parts"),
    [
        ("`a`", "a", [("a", DARK.code)]),
        ("say `ls -l`, please", "say ls -l, please", [("ls -l", DARK.code)]),
        ("`**a** http://e.org *b*`", "**a** http://e.org *b*", [("**a** http://e.org *b*", DARK.code)]),
        ("``a`b``", "a`b", [("a`b", DARK.code)]),
        ("`` `a` ``", "`a`", [("`a`", DARK.code)]),
        ("```a```", "a", [("a", DARK.code)]),
        ("`a` b`", "a b`", [("a", DARK.code)]),
        ("`a``b`", "a``b", [("a``b", DARK.code)]),
        ("` a `b`", "` a b", [("b", DARK.code)]),
        ("*`a*`", "*a*", [("a*", DARK.code)]),
    ],
)
def test_code(text: str, shown: str, parts: list[tuple[str, Style]]) -> None:
    assert looks(text) == (shown, parts)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "`",
            "``",
            "```",
            "`a",
            "a`",
            "``a`",
            "`a``",
            "it's a ` and another ` here",
            "` `",
            "`` ``",
            "`  `",
        ),
        *(
            "`a\nb`",
            "``quoted''",
            "a `\n`b",
            "```\na",
            "```\na\n``",
            "```\na\n~~~",
            "~~~\na\n~~~~",
            "```\n```",
        ),
        *("```a b\nc\n```", "x ```\na\n``` y", "    ```\na\n    ```", "```\na\n```py"),
    ],
)
def test_what_is_not_closed_is_no_code(text: str) -> None:
    assert looks(text) == (text, [])


@pytest.mark.parametrize("marks", ["```", "````", "~~~", "~~~~~"])
@pytest.mark.parametrize("language", ["", "python", " c++", "x-y.z "])
def test_fenced_code(marks: str, language: str) -> None:
    plain, parts = looks(f"see:\n{marks}{language}\nif *a*:\n    `b`\n{marks}\nwell *b*")
    assert plain == f"see:\n{BAR}if *a*:\n{BAR}    `b`\nwell b"
    assert parts == [(f"{BAR}if *a*:\n{BAR}    `b`", DARK.code_block), ("b", ITALIC)]


def test_fenced_code_begins_on_a_line_of_its_own() -> None:
    assert looks("```\na\nb\n```")[0] == f"\n{BAR}a\n{BAR}b"
    assert looks("```\na\n```")[0] == f"{BAR}a"
    assert looks("```\na\n```\n```\nb\n\nc\n```")[0] == f"{BAR}a\n{BAR}b\n{BAR}\n{BAR}c"


def test_a_fence_holds_other_marks() -> None:
    assert looks("~~~\n```\na\n```\n~~~")[0] == f"\n{BAR}```\n{BAR}a\n{BAR}```"
    assert looks("````md\n```\na\n```\n````")[0] == f"\n{BAR}```\n{BAR}a\n{BAR}```"


# Addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://example.org", "http://example.org"),
        ("HTTPS://Example.org/A", "HTTPS://Example.org/A"),
        ("see https://e.org/a?b=c&d=[1]#e;f, please", "https://e.org/a?b=c&d=[1]#e;f"),
        ("(http://e.org/a)", "http://e.org/a"),
        ("http://e.org/a_(b)", "http://e.org/a_(b)"),
        ("(see http://e.org/a_(b)).", "http://e.org/a_(b)"),
        ("[http://e.org]:", "http://e.org"),
        ("[a](http://e.org/b)", "http://e.org/b"),
        ("<http://e.org/>", "http://e.org/"),
        ("'http://e.org' \"http", "http://e.org"),
        ("http://e.org?!...", "http://e.org"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://localhost:8080/~a/%C3%A9", "http://localhost:8080/~a/%C3%A9"),
        ("**http://e.org/a/**", "http://e.org/a/"),
        ("http://e.org/*/b", "http://e.org/*/b"),
        ("http://e.org/*a*", "http://e.org/*a"),
        ("http://e.org`x`", "http://e.org"),
        ("a\thttp://e.org\nb", "http://e.org"),
        ("http://http://http://e.org", "http://http://http://e.org"),
    ],
)
def test_addresses_can_be_opened(text: str, address: str) -> None:
    assert links(text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "http://",
            "https://",
            "http:// e.org",
            "http:/e.org",
            "http://.",
            "http://)",
            "http://[",
            "xhttp://e.org",
        ),
        *("ftp://e.org", "javascript:alert(1)", "file:///etc/passwd", "www.example.org", "mailto:a@e.org"),
        *("http://é.org", "http://e.org/é", "http://e.org/\u200b", "http://e.org/a|b", "http://e.org/^"),
        *("http://e.org/\\x1b]8;;x", "http://e.org/{a}", "http://e.org/a\\", "http://e.org。"),
    ],
)
def test_what_is_no_address_is_only_text(text: str) -> None:
    assert links(text) == []
    assert looks(text) == (text, [])


def test_an_address_that_cannot_be_opened_is_still_left_alone() -> None:
    assert looks("http://é.org/*a* *b*") == ("http://é.org/*a* b", [("b", ITALIC)])


def test_links_can_be_switched_off() -> None:
    shown = markup("http://e.org/*a* *b*", DARK, links=False)
    assert (shown.plain, len(shown.spans)) == ("http://e.org/*a* b", 1)


OPEN_LINK = re.compile(r"\x1b\]8;id=(\w+);([^\x1b]*)\x1b\\(.*?)\x1b\]8;;\x1b\\")


@pytest.mark.parametrize("entry", [False, True])
def test_each_piece_of_an_address_that_is_wrapped_opens_all_of_it(entry: bool) -> None:
    address = "http://example.org/" + "a" * 60
    console = Console(file=io.StringIO(), force_terminal=True, width=30, _environ={}, highlight=False)
    text = markup(f"see {address}, please", DARK)
    with console.capture() as captured:
        console.print(Entry(Text("22:13  "), Text("bob: "), text) if entry else text)
    pieces = OPEN_LINK.findall(captured.get())
    assert len(pieces) >= 3
    assert {target for _, target, _ in pieces} == {address}
    assert "".join(re.sub(r"\x1b\[[\d;]*m", "", shown) for _, _, shown in pieces) == address
    for line in captured.get().splitlines():
        assert line.count("\x1b]8;") == 2 * len(OPEN_LINK.findall(line))


# Names


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        *(
            ("bob", text, ["bob"])
            for text in ("bob", "@bob", "bob:", "bob's", "(bob)", "hi bob!", "bob.", "bob, hi")
        ),
        *(
            ("bob", text, ["bob"])
            for text in ("...bob", "bob...", "ann/bob", "#bob", "**bob**", "*hi bob*", "bob-")
        ),
        ("bob", "Bob BOB bob", ["Bob", "BOB", "bob"]),
        ("bob", "`bob` bob http://bob.org/bob", ["bob"]),
        ("bob", "```\nbob\n```\nbob", ["bob"]),
        ("bob-cat", "bob-cat, bob", ["bob-cat"]),
        ("a.b", "a.b. a.b.c", ["a.b"]),
        ("dr.", "dr. who", ["dr"]),
        ("_x_", "_x_ x", ["_x_"]),
        ("7", "7 of 17", ["7"]),
        ("zoë", "ZOË zoe\u0308, zoe", ["ZOË", "zoe\u0308"]),
        ("straße", "STRASSE straße", ["STRASSE", "straße"]),
        ("ann", "\uff21nn: \u212b", ["\uff21nn"]),
        ("İx", "aİ: İx", ["İx"]),
        ("ﬁn", "a fin, ﬁn", ["fin", "ﬁn"]),
        ("각", "\u1100\u1161\u11a8!", ["\u1100\u1161\u11a8"]),
        ("山田", "山田、", ["山田"]),
        ("bob", "👋bob👋 —bob—", ["bob", "bob"]),
    ],
)
def test_names_are_highlighted(name: str, text: str, found: list[str]) -> None:
    parts = looks(text, name)[1]
    assert [part for part, style in parts if style == DARK.mention] == found
    assert mentions(text, name)


@pytest.mark.parametrize(
    "text",
    [
        *("bobby", "bob-cat", "cat-bob", "foo.bob.org", "bob.org", "foo.bob", "bob_", "_bob", "bob2", "xbob"),
        *(
            "bob@example.org",
            "ann@bob",
            "bob\u0301",
            "bobé",
            "`bob`",
            "```\nbob\n```",
            "http://e.org/bob",
            "bo b",
            "",
        ),
    ],
)
def test_what_only_has_the_name_in_it_is_no_mention(text: str) -> None:
    assert DARK.mention not in [style for _, style in looks(text, "bob")[1]]
    assert not mentions(text, "bob")


def test_nobody_is_not_mentioned() -> None:
    assert not mentions("a b", "")
    assert looks("a b", "") == ("a b", [])


# Whatever is said

PIECES = [
    "*",
    "**",
    "`",
    "```",
    "\n```\n",
    "~~~",
    "\n",
    " ",
    "http://",
    "https://e.org/",
    ")",
    "(",
    ".",
    "\t",
]
texts = st.text() | st.lists(
    st.sampled_from(
        [*PIECES, "bob", "Bob", "é", "e\u0301", "a", "重", "\x1b", "\u202e", "\x9b", "[", "'", "@"]
    )
).map("".join)


@thorough
@given(texts, st.sampled_from(["", "bob", "é", "重"]))
@example("```\n*a*\n```", "a")
@example("**bob**", "bob")
def test_nothing_comes_out_that_was_not_said(text: str, name: str) -> None:
    said = visible(text)
    shown = markup(said, DARK, name=name)
    assert set(shown.plain) <= set(said) | set(BAR)
    assert "\x1b" not in shown.plain
    assert len(shown) == len(shown.plain)
    assert all(0 <= start < end <= len(shown) for start, end, _ in shown.spans)


@thorough
@given(texts)
def test_only_marks_are_left_out(text: str) -> None:
    said = visible(text)
    letters = re.sub(r"[*`~\s│]|^ *[`~]+.*$", "", said, flags=re.MULTILINE)
    shown = iter(markup(said, DARK).plain)
    assert all(letter in shown for letter in letters)


@thorough
@given(texts, st.sampled_from(["bob", "é", "重", "a", "a.b"]))
def test_what_rings_is_highlighted(text: str, name: str) -> None:
    said = visible(text)
    highlighted = DARK.mention in [style for _, style in looks(said, name)[1]]
    assert mentions(said, name) == highlighted


@thorough
@given(texts)
def test_links_are_what_is_shown(text: str) -> None:
    for address in links(visible(text)):
        assert re.fullmatch(r"(?i:https?)://[!-~]+", address)


# Time


def calls(work: Callable[[], object]) -> int:
    """Returns how many functions are called to do it, those of Python itself too."""
    count = 0

    def look(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


HOSTILE = {
    **{
        piece: piece for piece in ("*", "`", "~", "\n", "[(", "http://", "http://a ", "bob ", "a.", "@", "é ")
    },
    **{piece: piece for piece in ("*a ", "*a* ", "**a *b* c** ", "*a **b ***c ", "a* ", "*a\n", '"*')},
    **{
        piece: piece
        for piece in ("`a`", "`a ", "``a` ", "```x\n", "```\n", "```\na\n", "~~~\n`", "~~~\n```\n")
    },
    **{
        piece: piece for piece in ("http://a)", "(((", ")))", "e\u0301\u0323", "```" + " " * 90 + "!", "日本")
    },
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=map(repr, HOSTILE))
def test_the_effort_grows_with_the_length(piece: str) -> None:
    def effort(size: int) -> int:
        text = piece * (size // len(piece.encode()))
        check_text(text)
        return calls(lambda: (markup(text, DARK, name="bob"), mentions(text, "bob")))

    efforts = [effort(size) for size in (MAX_TEXT // 4, MAX_TEXT // 2, MAX_TEXT)]
    assert all(more <= 2.2 * less + 50 for less, more in pairwise(efforts))
    assert efforts[-1] <= 12 * MAX_TEXT


@pytest.mark.parametrize("rise", [range(1, 125), [*range(1, 88), *range(88, 0, -1)]])
@pytest.mark.parametrize("mark", ["*", "`"])
def test_marks_of_all_lengths_take_no_time(rise: list[int], mark: str) -> None:
    text = " a".join(mark * length for length in rise)
    assert calls(lambda: markup(text, DARK)) <= 12 * MAX_TEXT


def test_much_is_not_drawn_at_all() -> None:
    assert len(markup("*a* " * 2000, DARK).spans) == MAX_EMPHASIS
    assert len(markup("`a` " * 2000, DARK).spans) == MAX_LITERALS
    assert len(markup("bob " * 2000, DARK, name="bob").spans) == MAX_NAMED
    assert markup("*a* " * 2000, DARK).plain.endswith(" *a* ")
