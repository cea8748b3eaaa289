"""What may be a text, and what is left of one where a person sees it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.errors import Refused
from chatctl.text import MAX_TEXT, MAX_TOPIC, check_text, one_line, visible

thorough = settings(deadline=None, database=None)

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
BIDI = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
DANGEROUS = frozenset([*CONTROLS, *BIDI, "\u2028", "\u2029"])
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=[]),
        st.sampled_from([*sorted(DANGEROUS), "\n", "\t", "\\", "\x1b", "\x9b", "\U000e0041", "\ufffa"]),
    )
)


def refused(text: str, limit: int = MAX_TEXT) -> bool:
    try:
        check_text(text, limit)
    except Refused as refusal:
        assert refusal.code == "bad-text"
        assert str(refusal).isprintable()
        return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        "\n",
        "\t",
        "a\nb\tc",
        "é",
        "😀",
        "👩‍👩‍👧",
        "\u202e",
        "\u200b",
        "\ufeff",
        "\xa0",
        "[/red]",
        "\u2028",
    ],
)
def test_texts_that_may_be_said(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize("character", CONTROLS)
def test_controls_are_refused(character: str) -> None:
    for text in (character, f"a{character}", f"{character}a", f"a\n{character}é"):
        assert refused(text), text
    with pytest.raises(Refused, match=rf"U\+{ord(character):04X}"):
        check_text(f"a{character}b")


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\ud83d", "\ude00\ud83d", "x" * 3000 + "\udc00"])
def test_lone_surrogates_are_refused(text: str) -> None:
    assert refused(text)


def test_an_empty_text_says_nothing() -> None:
    assert refused("")
    assert refused("", MAX_TOPIC)


@pytest.mark.parametrize("limit", [MAX_TEXT, MAX_TOPIC])
@pytest.mark.parametrize("character", ["x", "é", "€", "😀", "\n"])
def test_the_limit_is_in_bytes(character: str, limit: int) -> None:
    count, rest = divmod(limit, len(character.encode()))
    longest = character * count + "x" * rest
    assert len(longest.encode()) == limit
    assert not refused(longest, limit)
    assert refused(longest + "x", limit)
    assert not refused(longest[:-1], limit)


@thorough
@given(texts, st.integers(1, 30))
def test_what_is_accepted_is_what_the_contract_allows(text: str, limit: int) -> None:
    allowed = (
        not any(c in CONTROLS or 0xD800 <= ord(c) <= 0xDFFF for c in text)
        and 1 <= len(text.encode()) <= limit
    )
    assert refused(text, limit) is not allowed


@thorough
@given(texts)
def test_nothing_that_acts_on_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert not DANGEROUS & set(shown)
    assert shown.count("\n") == text.count("\n")
    assert shown.count("\t") == text.count("\t")
    shown.encode()  # no surrogate is left either
    assert visible(shown) == shown


@thorough
@given(texts)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert not DANGEROUS & set(line)
    assert "\n" not in line
    assert "\t" not in line
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


@thorough
@given(texts)
def test_what_is_printable_is_left_as_it_is(text: str) -> None:
    printable = "".join(c for c in text if c.isprintable())
    assert visible(printable) == printable
    assert one_line(printable) == printable


def test_every_character_is_judged() -> None:
    for code in range(0x110000):
        character = chr(code)
        shown = visible(character)
        hidden = character in DANGEROUS or 0xD800 <= code <= 0xDFFF or 0xE0000 <= code <= 0xE007F
        if not hidden and 0xFFF9 <= code <= 0xFFFB:
            hidden = True
        assert (shown != character) is hidden, hex(code)
        if character.isprintable() or unicodedata.category(character) in ("Zs", "Mn"):
            assert shown == character


@pytest.mark.parametrize(
    ("text", "shown", "line"),
    [
        ("\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\nb\tc", "a\\nb\\tc"),
        ("a\r\nb", "a\\x0d\nb", "a\\x0d\\nb"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00", "\\x9b2J\\x7f\\x00"),
        ("abc\u202etxt", "abc\\u202etxt", "abc\\u202etxt"),
        ("\u2028\u2066", "\\u2028\\u2066", "\\u2028\\u2066"),
        ("\ud800", "\\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041", "\\U000e0041"),
        ("👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"),
        ("[/red]\\", "[/red]\\", "[/red]\\"),
        ("", "", ""),
    ],
)
def test_shown(text: str, shown: str, line: str) -> None:
    assert visible(text) == shown
    assert one_line(text) == line
