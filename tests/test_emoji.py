"""Emoji typed by their names: which become some, and which are something else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.client.display.emoji import MAX_COMPLETIONS, complete_emoji, with_emoji
from chatctl.text import visible
from tests.helpers import environment


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (":smile:", "😄"),
        ("well :tada:, (:+1:) :100:!", "well 🎉, (👍) 💯!"),
        (":tada::tada: :Smile:", "🎉🎉 😄"),
        (":smile::nope:", "😄:nope:"),
        ("*:smile:*\n:smile:", "*😄*\n😄"),
        ("`:smile:` :smile: `", "`:smile:` 😄 `"),
        ("```\n:smile:\n```\n:smile:", "```\n:smile:\n```\n😄"),
        ("http://e.org/:smile:/a :smile:", "http://e.org/:smile:/a 😄"),
        ("❤ :smile: ❤", "❤ 😄 ❤"),
    ],
)
def test_names_become_emoji(text: str, sent: str) -> None:
    assert with_emoji(text) == sent


@pytest.mark.parametrize(
    "text",
    [
        *("", "no", ":", "::", ":)", ":smile", "smile:", ": smile :", ":nope:", ":smile :", ":o:o:", ":x::"),
        *(
            "10:30:45",
            "10:100:45",
            "a::b",
            "std::x::y",
            "C:\\path:x:",
            "C:\\:x:",
            "/:x:",
            "a:x:",
            ":x:a",
            "::x:",
        ),
        *("`:smile:`", "~~~\n:x:\n~~~", "https://e.org/:x:", ":england:", ":\nx:", "{a:x:b}", "[::1]:80:x:"),
    ],
)
def test_what_is_no_emoji_stays(text: str) -> None:
    assert with_emoji(text) == text


def test_names_are_completed() -> None:
    found = complete_emoji(":smi")
    assert found[:3] == [":smile:", ":smile_cat:", ":smiley:"]
    assert complete_emoji(":SMI") == found
    assert complete_emoji(":tada") == [":tada:"]
    assert len(complete_emoji(":s")) == MAX_COMPLETIONS
    assert complete_emoji(":s") == sorted(complete_emoji(":s"))


@pytest.mark.parametrize("word", ["", ":", "smi", "::", ":smile:", ":no such", ":engl", "a:smi"])
def test_what_has_no_completion(word: str) -> None:
    assert complete_emoji(word) == []


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvwxyz1+-")
def test_what_is_completed_becomes_an_emoji_that_is_seen(letter: str) -> None:
    for code in complete_emoji(f":{letter}"):
        assert with_emoji(code) != code
        assert visible(with_emoji(code)) == with_emoji(code)


@given(st.text(st.characters() | st.sampled_from(":`\n /x")))
def test_only_what_stands_between_colons_is_replaced(text: str) -> None:
    sent = with_emoji(text)
    assert len(sent) <= len(text)
    assert sent == text or text.count(":") >= sent.count(":") + 2


def test_the_names_are_not_read_before_they_are_needed() -> None:
    check = (
        "import sys; from chatctl.client.display.emoji import with_emoji; "
        "assert with_emoji('10:30:45') == '10:30:45'; assert 'rich' not in sys.modules; "
        "assert with_emoji(':x:') != ':x:'; assert 'rich' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], env=environment(), check=True, timeout=30)
