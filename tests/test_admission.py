"""Rates, caps and penalties, by a clock that the test moves."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.errors import Refused, TryLater
from chatctl.server.admission import Admission, TokenBucket, source_of
from chatctl.server.penalties import Offence
from tests.clock import Clock
from tests.fuzz.session import ADDRESS, HOST, serve

# The rate


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=2, burst=3, clock=clock)
    assert [bucket.take(1) for _ in range(4)] == [1, 1, 1, 0]
    clock.now += 0.25
    assert bucket.take(1) == 0
    clock.now += 0.25
    assert bucket.take(5) == 1
    clock.now += 1
    assert bucket.take(5) == 2
    clock.now += 1000
    assert bucket.take(100) == 3  # a pause gives no more than the burst


@pytest.mark.parametrize(("wanted", "taken"), [(0, 0), (1, 1), (20, 20), (21, 20), (10**9, 20)])
def test_as_many_as_there_are(wanted: int, taken: int) -> None:
    bucket = TokenBucket(10, 20, Clock())
    assert bucket.take(wanted) == taken
    assert bucket.take(100) == 20 - taken


@pytest.mark.parametrize("rate", [0.1, 1, 3, 10, 1000])
def test_wait_is_the_time_to_the_next_token(rate: float) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, 1, clock)
    assert bucket.wait() == 0
    assert bucket.take(1) == 1
    wait = bucket.wait()
    assert wait == pytest.approx(1 / rate)
    clock.now += wait * 0.99
    assert bucket.take(1) == 0
    assert bucket.wait() == pytest.approx(wait * 0.01, rel=1e-3)
    clock.now += wait * 0.011
    assert bucket.take(1) == 1


@settings(deadline=None, database=None)
@given(
    rate=st.floats(0.01, 1e4),
    burst=st.integers(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 100), st.integers(0, 300)), max_size=50),
)
def test_never_more_than_the_burst_and_what_time_gave(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, clock)
    start = clock.now
    total = 0
    for pause, wanted in steps:
        clock.now += pause
        taken = bucket.take(wanted)
        total += taken
        assert 0 <= taken <= min(wanted, burst)
        assert total <= burst + rate * (clock.now - start) + 1e-6
        if taken < wanted:  # all there was is gone
            assert bucket.take(1) == 0
            assert 0 < bucket.wait() <= 1 / rate + 1e-9


@settings(deadline=None, database=None)
@given(rate=st.floats(0.1, 1000), burst=st.integers(1, 50), rounds=st.integers(1, 30))
def test_who_waits_as_told_gets_the_whole_rate(rate: float, burst: int, rounds: int) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, clock)
    start = clock.now
    total = bucket.take(burst)
    for _ in range(rounds):
        clock.now += bucket.wait() + 1e-6  # clocks have no finer grain
        assert bucket.take(1) == 1
        total += 1
    assert total == burst + rounds
    assert clock.now - start <= rounds * (1 / rate + 1e-5)


# Where one comes from


@pytest.mark.parametrize(
    ("ip", "source"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("::ffff:127.0.0.2", "127.0.0.2"),
        ("::1", "::1"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::5", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::2", "::/64"),
    ],
)
def test_sources(ip: str, source: str) -> None:
    assert source_of(ip) == source


@given(st.ip_addresses().map(str))
def test_a_source_is_one_of_its_addresses(ip: str) -> None:
    source = source_of(ip)
    assert source_of(source.removesuffix("/64")) in (source, "::1")


# The caps


def refusal(admission: Admission, ip: str) -> str | None:
    """Returns the code with which a connection is refused, or None: then it is counted."""
    try:
        admission.admit(ip)
    except Refused as refused:
        return refused.code
    return None


def test_so_many_from_one_address() -> None:
    admission = Admission(max_clients=0, max_per_ip=2)
    answers = [refusal(admission, ip) for ip in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2")]
    assert answers == [None, None, "too-many-connections", None]
    admission.release("10.0.0.1")
    assert [refusal(admission, "10.0.0.1") for _ in range(2)] == [None, "too-many-connections"]


def test_so_many_in_all() -> None:
    admission = Admission(max_clients=3, max_per_ip=0)
    answers = [refusal(admission, ip) for ip in ("10.0.0.1", "::1", "10.0.0.1", "10.0.0.2", "127.0.0.1")]
    assert answers == [None, None, None, "server-full", "server-full"]
    admission.release("::1")
    assert refusal(admission, "10.0.0.2") is None


def test_a_full_server_is_full_whatever_the_address() -> None:
    admission = Admission(max_clients=1, max_per_ip=1)
    assert refusal(admission, "10.0.0.1") is None
    assert refusal(admission, "10.0.0.1") == "server-full"


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::ffff:127.1.2.3"])
def test_loopback_has_no_cap_of_its_own(ip: str) -> None:
    admission = Admission(max_clients=0, max_per_ip=1)
    assert [refusal(admission, ip) for _ in range(20)] == [None] * 20


@pytest.mark.parametrize(
    "ip",
    [
        "10.0.0.1",
        "128.0.0.1",
        "::2",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "2001:db8::1",
        "::127.0.0.1",
        "0.0.0.0",
    ],
)
def test_every_other_address_has(ip: str) -> None:
    admission = Admission(max_clients=0, max_per_ip=1)
    assert [refusal(admission, ip) for _ in range(3)] == [
        None,
        "too-many-connections",
        "too-many-connections",
    ]


def test_no_caps() -> None:
    admission = Admission(0, 0)
    assert {refusal(admission, f"10.0.0.{number % 3}") for number in range(100)} == {None}


@settings(deadline=None, database=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1", "::1"]), st.booleans()), max_size=80
    ),
    max_clients=st.integers(0, 6),
    max_per_ip=st.integers(0, 3),
)
def test_counts_are_right_and_return_to_zero(
    steps: list[tuple[str, bool]], max_clients: int, max_per_ip: int
) -> None:
    admission = Admission(max_clients, max_per_ip)
    inside: list[str] = []
    for ip, comes in steps:
        if not comes:
            if ip in inside:
                inside.remove(ip)
                admission.release(ip)
            continue
        full = bool(max_clients) and len(inside) >= max_clients
        crowded = bool(max_per_ip) and ip.startswith("10.") and inside.count(ip) >= max_per_ip
        answer = refusal(admission, ip)
        assert answer == ("server-full" if full else "too-many-connections" if crowded else None)
        if answer is None:
            inside.append(ip)
    for ip in inside:
        admission.release(ip)
    assert not admission._per_source  # nothing is kept of addresses that are gone


def test_threads_are_counted_once_each() -> None:
    admission = Admission(max_clients=50, max_per_ip=0)
    admitted: list[str] = []
    together = threading.Barrier(8)

    def run(ip: str) -> None:
        together.wait(20)
        admitted.extend(ip for _ in range(100) if refusal(admission, ip) is None)

    threads = [threading.Thread(target=run, args=(f"10.0.0.{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 50
    for ip in admitted:
        admission.release(ip)
    assert not admission._per_source


def test_a_network_of_ipv6_is_one_source() -> None:
    admission = Admission(max_clients=0, max_per_ip=2)
    network = [f"2001:db8::{number:x}" for number in range(1, 4)]
    assert [refusal(admission, ip) for ip in network] == [None, None, "too-many-connections"]
    assert refusal(admission, "2001:db8:0:1::1") is None
    admission.release(network[1])
    assert refusal(admission, network[2]) is None


# New connections


def come_and_go(admission: Admission, ip: str, times: int = 1) -> list[str | None]:
    """Connects and leaves again; returns what each connection was refused with."""
    answers = []
    for _ in range(times):
        answers.append(refusal(admission, ip))
        if answers[-1] is None:
            admission.release(ip)
    return answers


@pytest.mark.parametrize("most", [1, 7, 32, 1000])
def test_so_many_new_ones_from_one_address_in_ten_minutes(most: int) -> None:
    clock = Clock()
    admission = Admission(0, 0, most, clock)
    assert come_and_go(admission, "10.0.0.1", most + 2) == [None] * most + ["rate-limited"] * 2
    assert come_and_go(admission, "10.0.0.2") == [None]
    clock.now += 600 / most + 0.001
    assert come_and_go(admission, "10.0.0.1", 2) == [None, "rate-limited"]
    clock.now += 600
    assert come_and_go(admission, "10.0.0.1", most + 1) == [None] * most + ["rate-limited"]


def test_who_is_refused_is_told_for_how_long_and_can_come_then() -> None:
    clock = Clock()
    admission = Admission(0, 0, 32, clock)
    come_and_go(admission, "10.0.0.1", 32)
    with pytest.raises(Refused, match="too many new connections from your address: try again in 19 seconds"):
        admission.admit("10.0.0.1")
    clock.now += 19
    assert come_and_go(admission, "10.0.0.1") == [None]


def test_a_network_of_ipv6_is_new_as_one() -> None:
    admission = Admission(0, 0, 3, Clock())
    answers = [come_and_go(admission, f"2001:db8::{number:x}")[0] for number in range(1, 5)]
    assert answers == [None, None, None, "rate-limited"]


def test_who_belongs_here_is_no_newcomer() -> None:
    admission = Admission(0, 0, 2, Clock())
    for _ in range(100):
        assert come_and_go(admission, "10.0.0.1") == [None]
        admission.credit("10.0.0.1")
    assert come_and_go(admission, "10.0.0.1", 3) == [None, None, "rate-limited"]


def test_connections_of_which_several_count_as_one() -> None:
    admission = Admission(0, 0, 2, Clock())
    for _ in range(6):
        assert come_and_go(admission, "10.0.0.1") == [None]
        admission.credit("10.0.0.1", 5 / 6)
    assert come_and_go(admission, "10.0.0.1", 2) == [None, "rate-limited"]


@pytest.mark.parametrize(("path", "times"), [("/healthz", 10), ("/chat.js", 6), ("/api/rooms", 1)])
def test_as_what_share_of_a_newcomer_those_count_who_ask_by_http(path: str, times: int) -> None:
    admission = Admission(0, 0, 2, Clock())
    asked = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    for _ in range(times + 1):
        # On one connection it is asked several times, too.
        assert serve(2 * asked, admission=admission).count(b"HTTP/1.1 200 OK") == 2
    assert come_and_go(admission, ADDRESS) == ["rate-limited"]


def test_credit_is_not_saved_up() -> None:
    admission = Admission(0, 0, 2, Clock())
    for _ in range(10):
        admission.credit("10.0.0.1")
    assert come_and_go(admission, "10.0.0.1", 3) == [None, None, "rate-limited"]


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_connect_as_often_as_it_likes(ip: str) -> None:
    assert set(come_and_go(Admission(0, 0, 1, Clock()), ip, 50)) == {None}


def test_who_is_refused_for_another_reason_is_not_counted_as_new() -> None:
    clock = Clock()
    admission = Admission(max_clients=1, max_per_ip=0, max_new_per_ip=2, clock=clock)
    assert refusal(admission, "10.0.0.2") is None
    assert come_and_go(admission, "10.0.0.1", 10) == ["server-full"] * 10
    admission.release("10.0.0.2")
    assert come_and_go(admission, "10.0.0.1", 2) == [None, None]


# Penalties


def test_ten_wrong_keys_block_a_source_for_a_while() -> None:
    clock = Clock()
    admission = Admission(0, 0, clock=clock)
    for _ in range(10):
        assert come_and_go(admission, "10.0.0.1") == [None]
        admission.penalize("10.0.0.1", Offence.WRONG_SECRET)
    with pytest.raises(
        Refused, match="too many failed attempts from your address: try again in 50 seconds"
    ) as e:
        admission.admit("10.0.0.1")
    assert e.value.code == "rate-limited"
    assert come_and_go(admission, "10.0.0.2") == [None]
    clock.now += 49.9
    assert come_and_go(admission, "10.0.0.1") == ["rate-limited"]
    clock.now += 0.2
    assert come_and_go(admission, "10.0.0.1") == [None]


def test_who_is_blocked_can_still_leave() -> None:
    admission = Admission(0, 1, clock=Clock())
    assert refusal(admission, "10.0.0.1") is None
    for _ in range(10):
        admission.penalize("10.0.0.1", Offence.WRONG_SECRET)
    admission.release("10.0.0.1")
    assert not admission._per_source


def test_a_network_of_ipv6_is_blocked_as_one() -> None:
    admission = Admission(0, 0, clock=Clock())
    for number in range(1, 11):
        admission.penalize(f"2001:db8::{number:x}", Offence.WRONG_SECRET)
    assert refusal(admission, "2001:db8::ffff") == "rate-limited"
    assert refusal(admission, "2001:db8:0:1::1") is None


def tries(admission: Admission, ip: str) -> int:
    """Returns the seconds until a key or password is looked at again."""
    try:
        admission.demand_tries(ip)
    except TryLater as later:
        return later.seconds
    return 0


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("offence", Offence)
def test_of_this_machine_only_wrong_secrets_count(ip: str, offence: Offence) -> None:
    admission = Admission(0, 0)
    for _ in range(1000):
        admission.penalize(ip, offence)
    assert refusal(admission, ip) is None
    assert (tries(admission, ip) > 0) is (offence is Offence.WRONG_SECRET)


def test_who_holds_all_its_connections_and_asks_for_more_is_blocked() -> None:
    clock = Clock()
    admission = Admission(0, 1, clock=clock)
    assert refusal(admission, "10.0.0.1") is None
    answers = [refusal(admission, "10.0.0.1") for _ in range(52)]
    assert answers == ["too-many-connections"] * 50 + ["rate-limited"] * 2


def test_who_asks_once_a_second_is_not() -> None:
    clock = Clock()
    admission = Admission(0, 1, clock=clock)
    assert refusal(admission, "10.0.0.1") is None
    for _ in range(200):
        clock.now += 1
        assert refusal(admission, "10.0.0.1") == "too-many-connections"


def test_a_block_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    admission = Admission(0, 0)
    for _ in range(100):
        admission.penalize("2001:db8::1", Offence.WRONG_SECRET)
    assert caplog.messages == ["2001:db8::/64 is blocked for 50 seconds: wrong keys or passwords"]


def test_for_how_long_an_address_is_blocked() -> None:
    clock = Clock()
    admission = Admission(0, 0, clock=clock)
    assert tries(admission, "192.0.2.1") == 0
    for _ in range(10):
        admission.penalize("192.0.2.1", Offence.WRONG_SECRET)
    assert tries(admission, "192.0.2.1") == 50
    clock.now += 40
    assert tries(admission, "192.0.2.1") == 10
    assert tries(admission, "192.0.2.2") == 0
