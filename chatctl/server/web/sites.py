"""Which hosts a browser may take this server for, and pages of which origins may talk to it. No I/O.

A page of anywhere can have a browser connect to any address, under any name that its owner lets point there
(DNS rebinding), and post there. Both are told by what browsers say themselves: the name they believe to have
connected to (``Host``), and where the page is from (``Origin``). What they say is taken apart and compared
part by part, never by how it begins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable

from msgspec import Struct

from chatctl.server.web.request import Place, Problem, Request

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
_SAFE = ("GET", "HEAD", "OPTIONS")
# Where a browser says that a request is from (Fetch Metadata Request Headers, section 2.4).
_SITE = "sec-fetch-site"
_FOREIGN = ("cross-site", "same-site")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Site(Struct, frozen=True):
    """An origin (RFC 6454): a scheme, a host as `_plain` makes it, and a port."""

    scheme: str
    host: str
    port: int


class Sites:
    """The hosts and origins that are allowed.

    Args:
        origins: besides the server's own ones.
        names: of this machine, and of the server.
    """

    def __init__(self, origins: Iterable[str], names: Collection[str]) -> None:
        self._origins = frozenset(map(parse_origin, origins))
        self._names = _LOOPBACK | {_plain(name) for name in names}

    def check(self, request: Request, place: Place) -> None:
        """Refuses what is asked under another name, or by another's page.

        Raises:
            Problem: 403; or 400 where it does not say under which name.
        """
        self.check_host(request, place)
        self.check_origin(request, place)

    def check_host(self, request: Request, place: Place) -> None:
        """Refuses what is asked under another name.

        Raises:
            Problem: 403; or 400 where it does not say under which name.
        """
        host = request.headers.get("host")
        if not host:
            raise Problem(400, "the host is missing", close=True)
        if not self._is_host(host, place):
            raise Problem(403, "not under this name: `chatctl serve --allow-origin` allows it", close=True)

    def check_origin(self, request: Request, place: Place) -> None:
        """Refuses what another's page asks; whatever does not come from a page has no origin.

        Raises:
            Problem: 403.
        """
        origin = request.headers.get("origin")
        if origin is None and request.method not in _SAFE and request.headers.get(_SITE, "none") in _FOREIGN:
            raise Problem(403, "not from a page of another site", close=True)
        if origin is not None and not self._is_origin(origin, place):
            text = "not from a page of another origin: `chatctl serve --allow-origin` allows it"
            raise Problem(403, text, close=True)

    def _is_host(self, text: str, place: Place) -> bool:
        try:
            own = _parse_host(text, place.scheme)
            others = {_parse_host(text, site.scheme) for site in self._origins}
        except ValueError:
            return False
        return self._is_own(own, place) or not others.isdisjoint(self._origins)

    def _is_origin(self, text: str, place: Place) -> bool:
        try:
            site = parse_origin(text)
        except ValueError:
            return False
        return site in self._origins or (site.scheme == place.scheme and self._is_own(site, place))

    def _is_own(self, site: Site, place: Place) -> bool:
        return site.port == place.port and (site.host in self._names or site.host == _plain(place.address))


def parse_origin(text: str) -> Site:
    """Returns the origin that ``http://HOST``, ``https://HOST:PORT`` and the like stand for.

    Raises:
        ValueError: it is none.
    """
    scheme, separator, host = text.partition("://")
    if not separator or scheme.lower() not in _PORTS:
        raise ValueError("an origin is http://HOST or https://HOST, with :PORT where that is another")
    return _parse_host(host, scheme.lower())


def _parse_host(text: str, scheme: str) -> Site:
    found = _HOST.fullmatch(text)
    port = int(found[2] or _PORTS[scheme]) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise ValueError("that is not HOST or HOST:PORT")
    return Site(scheme, _plain(found[1].strip("[]")), port)


def _plain(host: str) -> str:
    """Returns a host in the one form of it that is compared."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower()
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
