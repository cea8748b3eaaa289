"""What stands at the bottom of the terminal, at any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chatctl.client.terminal.places import Places
from chatctl.client.terminal.prompt import PATIENCE, Fragments, Patience, prompt, waiting
from tests.test_places import places


def text(fragments: Fragments) -> str:
    return "".join(part for _, part in fragments)


def styles(fragments: Fragments, wanted: str) -> list[str]:
    return [part for style, part in fragments if style == f"class:{wanted}"]


def busy() -> Places:
    made = places("lobby", "dev", "ops", "art")
    for number, room in enumerate(("dev", "dev", "ops", "ops", "ops"), 1):
        made.note(room, number, called=number == 5)
    return made


def test_a_room_and_nothing_else() -> None:
    assert text(prompt(places("lobby"), "", 80)) == "#lobby> "
    assert text(prompt(Places(), "", 80)) == "(no room)> "
    assert text(prompt(places("lobby"), " (away)", 80)) == "#lobby (away)> "


def test_a_long_name_is_cut() -> None:
    assert text(prompt(places("a-room-with-a-long-name"), "", 80)) == "#a-room-with-a-long-name> "
    assert text(prompt(places("a-room-with-a-long-name"), "", 25)) == "#a-room-with…> "
    assert text(prompt(places("\u6f22" * 48), "", 25)) == "#\u6f22\u6f22\u6f22\u6f22\u6f22 …> "


def test_what_is_unread_elsewhere_and_what_of_it_is_for_oneself() -> None:
    shown = prompt(busy(), "", 80)
    assert text(shown) == "#lobby [3:ops 3 @1, 2:dev 2]> "
    assert styles(shown, "unread-mention") == [" @1"]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(48, "[3:ops 3 @1, 2:dev 2]"), (36, "[3:ops 3 @1, +2]"), (20, "[+5 @1]"), (1, "[+5 @1]")],
)
def test_a_narrow_window_gets_sums(columns: int, shown: str) -> None:
    assert text(prompt(busy(), " (away)", columns)) == f"#lobby {shown} (away)> "


def test_hostile_names_of_rooms_stay_in_their_line() -> None:
    assert "\n" not in text(prompt(places("a\nb\x1b[2J"), "", 80))


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        ([], ""),
        (["one"], "… one\n"),
        (["one\ntwo"], "… one\\ntwo\n"),
        (["a", "b", "c", "d", "e"], "… a\n… b\n… c\n… and 2 more\n"),
        (["x" * 30], f"… {'x' * 16}…\n"),
        (["日本" * 10], "… 日本日本日本日本…\n"),
    ],
)
def test_what_waits_has_a_line_each(texts: list[str], lines: str) -> None:
    assert text(waiting(texts, 20)) == lines


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 60))
def test_what_waits_never_is_wider_than_the_window(texts: list[str], columns: int) -> None:
    for line in text(waiting(texts, columns)).splitlines():
        assert cell_len(line) <= columns


def test_only_what_waits_for_long_is_told() -> None:
    patience = Patience()
    assert patience.worn_out(["a"], 0.0) == []
    assert patience.worn_out(["a", "b"], PATIENCE) == ["a"]
    assert patience.worn_out(["b"], 2 * PATIENCE) == ["b"]
    assert patience.worn_out(["a"], 9.0) == []
