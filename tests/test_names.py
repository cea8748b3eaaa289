"""Which names and rooms there may be, and which names are too much alike."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.errors import Refused
from chatctl.names import MAX_NAME, MAX_ROOM, check_name, check_room, fold, skeleton

thorough = settings(deadline=None, database=None)
likely = st.text(st.characters(categories=["L", "M", "Nd"], include_characters="_-.#"), max_size=52)
anything = st.one_of(likely, st.text(max_size=52), st.text(st.characters(categories=["Cs", "L"]), max_size=5))


def accepted(name: str) -> str | None:
    """Returns the name as it is taken, or None if it is refused."""
    try:
        return check_name(name)
    except Refused as refusal:
        assert refusal.code == "bad-name"
        assert str(refusal).isprintable()
        return None


def accepted_room(room: str) -> str | None:
    try:
        return check_room(room)
    except Refused as refusal:
        assert refusal.code == "bad-room"
        assert str(refusal).isprintable()
        return None


@pytest.mark.parametrize(
    "name",
    [
        *("a", "A", "_", "0", "ann", "Ann-Marie", "a.b", "a_b", "a-", "a.", "_-.", "7up", "x" * MAX_NAME),
        *("é" * MAX_NAME, "Ärger", "日本語", "Ωmega", "имя", "नमस्ते", "٣", "𐐨" * MAX_NAME, "กำ"),
    ],
)
def test_names_people_may_have(name: str) -> None:
    assert check_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "a b",
            " a",
            "a ",
            "a\n",
            "\na",
            "a\tb",
            "a\0",
            "a\x1b[31m",
            "a\x7f",
            "a\x85",
            "#a",
            "a#",
            "@a",
        ),
        *(
            "-a",
            ".a",
            "a/b",
            "a:b",
            "a,b",
            "a'b",
            'a"b',
            "a+b",
            "<a>",
            "a\\",
            "😀",
            "a😀",
            "½",
            "a²",
            "Ⅳ",
            "a€",
        ),
        *("x" * (MAX_NAME + 1), "é" * (MAX_NAME + 1), "x" * 10_000),
        *("\u0301a", "\u0301", "\u0903a"),  # a mark has nothing to stand on
        *("a\u200bb", "a\u200c", "a\u200d", "a\u2060b", "a\ufeff", "\ufeffa", "a\u00adb"),  # zero width
        *("a\u202eb", "a\u202a", "a\u200e", "a\u200f", "a\u061c", "a\u2066b", "a\u2069"),  # bidirectional
        *("\u115f", "a\u115f", "a\u1160", "\u3164", "a\u3164", "a\uffa0", "a\u034fb", "a\u17b4", "a\u17b5"),
        *(
            "a\u180b",
            "a\u180c",
            "a\u180d",
            "a\u180e",
            "a\u180f",
            "a\ufe00",
            "a\ufe0f",
            "a\U000e0100",
            "a\U000e01ef",
        ),
        *("a\U000e0041", "a\u2028b", "a\u2029", "a\u00a0b", "a\u3000b", "a\u2800", "a\ufffd", "a\ue000"),
        *("a\ud800", "\udfff", "a\ud83d", "a\U0010ffff"),
    ],
)
def test_names_nobody_may_have(name: str) -> None:
    assert accepted(name) is None


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("e\u0301", "é"),
        ("A\u030angstrom", "Ångstrom"),
        ("\u212bngstrom", "Ångstrom"),
        ("\u1112\u1161\u11ab", "한"),
        ("e\u0301" * MAX_NAME, "é" * MAX_NAME),  # the limit holds for what it becomes
        ("q\u0323\u0307", "q\u0323\u0307"),
        ("q\u0307\u0323", "q\u0323\u0307"),
    ],
)
def test_names_are_composed(name: str, taken: str) -> None:
    assert check_name(name) == taken


def test_a_refusal_names_the_character() -> None:
    with pytest.raises(Refused, match="start with a -") as refused:
        check_name("-a")
    assert refused.value.code == "bad-name"
    with pytest.raises(Refused, match=r"hold U\+202E"):
        check_room("a\u202e")
    with pytest.raises(Refused, match="hold a space"):
        check_name("a b")
    with pytest.raises(Refused, match="1 to 32"):
        check_name("x" * 33)
    with pytest.raises(Refused, match="1 to 48"):
        check_room("#")


@pytest.mark.parametrize(
    ("room", "taken"),
    [
        ("lobby", "lobby"),
        ("#lobby", "lobby"),
        ("Lobby", "lobby"),
        ("#LOBBY", "lobby"),
        ("ÄRGER", "ärger"),
        ("E\u0301", "é"),
        ("#x-1.2_3", "x-1.2_3"),
        ("x" * MAX_ROOM, "x" * MAX_ROOM),
        ("#" + "X" * MAX_ROOM, "x" * MAX_ROOM),
    ],
)
def test_rooms(room: str, taken: str) -> None:
    assert check_room(room) == taken


@pytest.mark.parametrize(
    "room", ["", "#", "##", "##a", "a#", "#-a", "# a", " #a", "x" * (MAX_ROOM + 1), "#a\n"]
)
def test_rooms_that_cannot_be(room: str) -> None:
    assert accepted_room(room) is None


@thorough
@given(anything)
def test_what_is_accepted_is_what_the_contract_allows(name: str) -> None:
    if (taken := accepted(name)) is None:
        return
    assert taken == unicodedata.normalize("NFC", name)
    assert 1 <= len(taken) <= MAX_NAME
    assert unicodedata.category(taken[0])[0] != "M"
    assert taken[0] not in "-."
    assert all(
        unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd" or c in "_-." for c in taken
    )
    assert check_name(taken) == taken


@thorough
@given(likely)
def test_accepted_rooms_are_stable(room: str) -> None:
    if (taken := accepted_room(room)) is not None:
        assert check_room(taken) == taken
        assert check_room("#" + taken) == taken
        assert taken == taken.lower()


@thorough
@given(likely)
def test_folding_twice_changes_nothing(name: str) -> None:
    if (taken := accepted(name)) is not None:
        assert fold(fold(taken)) == fold(taken)


@thorough
@given(
    st.text(st.characters(max_codepoint=127, categories=["L", "Nd"], include_characters="_-."), max_size=32)
)
def test_plain_names_have_no_rules_of_their_own(name: str) -> None:
    beside = "é"  # takes the way of names that are not plain
    assert skeleton(name + beside) == skeleton(name) + skeleton(beside)
    assert fold(name + beside) == fold(name) + fold(beside)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "Ann"),
        ("ANN", "ann"),
        ("straße", "STRASSE"),
        ("Ärger", "ärger"),
        ("\uff41\uff4e\uff4e", "ann"),
        ("ⅷ", "viii"),
        ("\ufb01x", "fix"),
        ("σας", "ΣΑΣ"),
        ("\u017fam", "sam"),
        ("\u212a", "k"),
        ("é", "É"),
    ],
)
def test_the_same_name_in_other_letters(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("name", ["ann", "Ann", "bob", "paypal", "m", "rn", "é", "日本"])
def test_different_names_are_different(name: str) -> None:
    others = {"ann", "bob", "paypal", "admin", "é", "e", "日本", "日木", "a-b", "a_b", "a.b"} - {name.lower()}
    assert fold(name) not in set(map(fold, others))
    assert skeleton(name) not in set(map(skeleton, others - {"m", "rn"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna", "\u0430nn\u0430"),  # Cyrillic
        ("paypal", "\u03a1ay\u03a1al"),  # Greek capital rho
        ("PayPal", "\u03a1\u0430\u0443\u03a1\u0430l"),
        ("mark", "rnark"),
        ("admin", "adrnin"),
        ("summer", "surnrner"),
        ("otto", "0tt0"),
        ("Otto", "0tto"),
        ("O", "0"),
        ("lan", "Ian"),
        ("lan", "1an"),
        ("Ian", "1an"),
        ("0", "\u041e"),
        ("oo", "\u03bf\u043e"),
        ("bob", "\u0412\u041e\u0412"),
        ("scope", "\u0455\u0441\u043e\u0440\u0435"),
        ("\u0430\u0441\u0435", "ace"),
        ("\u0501an", "dan"),
        ("\u0131", "i"),
        ("\u0430m", "arn"),
    ],
)
def test_names_that_look_alike(one: str, other: str) -> None:
    assert fold(one) != fold(other) or one.lower() == other.lower()
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("e", "é"), ("o", "ö"), ("ian", "lan"), ("a", "b"), ("и", "n"), ("日", "目"), ("-a", "_a")],
)
def test_names_that_do_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)
