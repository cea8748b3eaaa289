"""What each role may do."""

from __future__ import annotations

from typing import get_args

import pytest

from chatctl.access import roles
from chatctl.access.roles import MEASURES, RANKS, demand, is_at_least, rank
from chatctl.errors import Refused
from chatctl.messages import Measure, Role


def test_every_role_has_its_rank() -> None:
    assert sorted(RANKS) == sorted(get_args(Role))
    assert [rank(role) for role in RANKS] == [0, 1, 2, 3]
    assert RANKS[-1] == "owner"


def test_every_measure_takes_a_moderator_at_least() -> None:
    assert sorted(MEASURES) == sorted(get_args(Measure))
    assert all(is_at_least(role, "moderator") for role in MEASURES.values())


@pytest.mark.parametrize("role", RANKS)
@pytest.mark.parametrize("needed", RANKS)
def test_each_may_do_what_those_below_may(role: Role, needed: Role) -> None:
    may = RANKS.index(role) >= RANKS.index(needed)
    assert is_at_least(role, needed) is may
    if may:
        demand(role, needed, "do it")
    else:
        with pytest.raises(Refused, match="may do it") as refused:
            demand(role, needed, "do it")
        assert refused.value.code == "forbidden"


@pytest.mark.parametrize(
    ("needed", "who"), [("owner", "an owner"), ("moderator", "a moderator"), ("member", "a member")]
)
def test_the_words_say_who_may(needed: Role, who: str) -> None:
    with pytest.raises(Refused, match=f"only {who} may invite"):
        demand("guest", needed, "invite")


def test_guests_may_not_do_what_members_may() -> None:
    for needed in (roles.MAKE_ROOMS, roles.SET_TOPICS, roles.REGISTER):
        assert is_at_least("member", needed)
        assert not is_at_least("guest", needed)
    for needed in (roles.SPEAK_IN_READ_ONLY, roles.ENTER_ANY_ROOM, roles.INVITE, roles.REDACT):
        assert is_at_least("moderator", needed)
        assert not is_at_least("member", needed)
    assert is_at_least("moderator", roles.SET_MODES)
    assert is_at_least("moderator", roles.SEE_ADDRESSES)
    assert not is_at_least("member", roles.SET_MODES)
    assert not is_at_least("member", roles.SEE_ADDRESSES)
