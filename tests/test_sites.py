"""Under which names a browser may ask, and pages of which origins may: all others are refused."""

from __future__ import annotations

import pytest

from chatctl.server.web.request import Place, Problem, Request
from chatctl.server.web.sites import Sites, parse_origin

PLAIN = Place("192.168.1.5", 12345, tls=False)
TLS = Place("192.168.1.5", 12345, tls=True)
IPV6 = Place("2001:db8::5", 12345, tls=False)
MAPPED = Place("::ffff:192.168.1.5", 12345, tls=False)
USUAL = Place("192.168.1.5", 443, tls=True)
ALLOWED = ["https://chat.example.org", "http://[2001:db8::9]:8080"]
SITES = Sites(ALLOWED, {"den", "den.local"})


def refusal(place: Place, **headers: str) -> int:
    """Returns the status by which a request is refused, 0 if it is not."""
    try:
        SITES.check(Request("GET", "/", headers=headers), place)
    except Problem as problem:
        assert problem.close
        return problem.status
    return 0


@pytest.mark.parametrize(
    ("place", "host"),
    [
        *((PLAIN, host) for host in ("localhost:12345", "LocalHost:12345", "127.0.0.1:12345", "[::1]:12345")),
        *((PLAIN, host) for host in ("192.168.1.5:12345", "den:12345", "Den.Local:12345")),
        *((PLAIN, host) for host in ("chat.example.org", "chat.example.org:443", "[2001:db8::9]:8080")),
        *((PLAIN, host) for host in ("[::ffff:127.0.0.1]:12345", "[0:0:0:0:0:0:0:1]:12345")),
        (IPV6, "[2001:db8::5]:12345"),
        (IPV6, "[2001:DB8:0::5]:12345"),
        (MAPPED, "192.168.1.5:12345"),
        (USUAL, "192.168.1.5"),
        (USUAL, "localhost:443"),
    ],
)
def test_hosts(place: Place, host: str) -> None:
    assert refusal(place, host=host) == 0


@pytest.mark.parametrize(
    "host",
    [
        *("evil.test", "evil.test:12345", "127.0.0.1.evil.test:12345", "localhost.evil.test:12345"),
        *("xlocalhost:12345", "localhost.:12345", "127.0.0.1.:12345", "localhost", "localhost:80"),
        *("localhost:12346", "localhost:012345", "localhost:1234", "localhost:", "localhost:12345:12345"),
        *("evil.test@localhost:12345", "localhost:12345@evil.test", "localhost:12345/", "localhost:12345#"),
        *(
            "http://localhost:12345",
            "127.1:12345",
            "2130706433:12345",
            "0x7f.0.0.1:12345",
            "0177.0.0.1:12345",
        ),
        *("127.0.0.01:12345", "127.0.0.2:12345", "192.168.1.6:12345", "[::1%lo]:12345", "[::1:12345", "::1"),
        *(
            "[::2]:12345",
            "[127.0.0.1]:12345x",
            "localhost :12345",
            "localhost\t:12345",
            "loc\u0430lhost:12345",
        ),
        *("chat.example.org:80", "x.chat.example.org", "chat.example.org.evil.test", "localhost:99999", "*"),
        *("localhost:12345, evil.test", "evil.test, localhost:12345", "0.0.0.0:12345", "[::]:12345", "null"),
    ],
)
def test_hosts_that_are_not_ours(host: str) -> None:
    assert refusal(PLAIN, host=host) == 403


def test_who_says_no_host_is_refused() -> None:
    assert refusal(PLAIN) == 400
    assert refusal(PLAIN, host="") == 400


@pytest.mark.parametrize(
    ("place", "origin"),
    [
        *((PLAIN, origin) for origin in ("http://localhost:12345", "http://127.0.0.1:12345")),
        *((PLAIN, origin) for origin in ("http://[::1]:12345", "http://192.168.1.5:12345")),
        *((PLAIN, origin) for origin in ("HTTP://LOCALHOST:12345", *ALLOWED, "https://chat.example.org:443")),
        (TLS, "https://localhost:12345"),
        (USUAL, "https://192.168.1.5"),
    ],
)
def test_origins(place: Place, origin: str) -> None:
    assert refusal(place, host=f"localhost:{place.port}", origin=origin) == 0


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://", "localhost:12345", "//localhost:12345", "http:localhost:12345", "*"),
        *("http://evil.test", "http://evil.test:12345", "http://127.0.0.1.evil.test:12345"),
        *("http://localhost.evil.test:12345", "http://localhost:12345.evil.test", "http://localhost.:12345"),
        *("http://localhost", "http://localhost:80", "http://localhost:3000", "https://localhost:12345"),
        *("http://evil.test@localhost:12345", "http://localhost:12345@evil.test", "ws://localhost:12345"),
        *("http://localhost:12345/", "http://localhost:12345 http://evil.test", "file://localhost:12345"),
        *(
            "http://localhost:12345, http://evil.test",
            "http://chat.example.org",
            "http://chat.example.org:443",
        ),
        *(
            "https://chat.example.org:8443",
            "https://evilchat.example.org",
            "https://chat.example.org.evil.test",
        ),
        *(
            "javascript://localhost:12345",
            "http://127.1:12345",
            "http://[::1:12345",
            "http://2130706433:12345",
        ),
    ],
)
def test_origins_that_are_not_ours(origin: str) -> None:
    assert refusal(PLAIN, host="localhost:12345", origin=origin) == 403


@pytest.mark.parametrize(
    "text", ["chat.example.org", "https://h/x", "ftp://h", "https://", "https://h:0", ""]
)
def test_what_is_no_origin_cannot_be_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"origin|HOST"):
        parse_origin(text)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_another_site_sends_without_an_origin(site: str) -> None:
    headers = {"host": "localhost:12345", "sec-fetch-site": site}
    place = Place("127.0.0.1", 12345, tls=False)
    Sites((), ()).check(Request("GET", "/", headers=headers), place)
    with pytest.raises(Problem) as caught:
        Sites((), ()).check(Request("POST", "/", headers=headers), place)
    assert (caught.value.status, caught.value.close) == (403, True)
