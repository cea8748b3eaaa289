"""The list of what moderators did, by a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatctl.access import audit
from chatctl.access.audit import Entry
from chatctl.access.opened import AccessBook
from tests.clock import Clock


def test_what_is_noted(tmp_path: Path) -> None:
    clock = Clock()
    with AccessBook(tmp_path, clock) as book:
        assert book.audit.last(10) == []
        book.audit.add("ann", "ban", "bob", until=2_000_000, reason="spam\nand \u202e more")
        clock.now += 1
        book.audit.add("", "allow", "eve", room="dev")
    with AccessBook(tmp_path, clock) as book:
        assert book.audit.last(10) == [
            Entry(5_000_000, "ann", "ban", "bob", None, 2_000_000, "spam\nand \u202e more"),
            Entry(5_001_000, "", "allow", "eve", "dev", None, ""),
        ]


def test_the_last_ones_oldest_first() -> None:
    with AccessBook(None) as book:
        for number in range(5):
            book.audit.add("ann", "kick", f"n{number}")
        assert [entry.whom for entry in book.audit.last(2)] == ["n3", "n4"]
        assert book.audit.last(0) == []


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_ENTRIES", 3)
    with AccessBook(None) as book:
        for number in range(7):
            book.audit.add("ann", "kick", f"n{number}")
        assert [entry.whom for entry in book.audit.last(100)] == ["n4", "n5", "n6"]
