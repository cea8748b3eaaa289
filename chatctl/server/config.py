"""What can be set about a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chatctl.history.log import KEEP_ALL, Retention
from chatctl.server.tls_mode import TlsMode


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set about a server.

    Attributes:
        host: address or name to listen on.
        port: 0 for any free one.
        rate: frames a second from one client; 0 for no limit.
        burst: frames one client may send at once after a pause.
        max_clients: connections in all, at most; 0 for no limit.
        max_per_ip: connections from one address, at most; 0 for no limit.
        max_new_per_ip: new connections from one address in ten minutes; 0 for no limit.
        motd: shown to everyone who comes in.
        outbox: bytes that may wait for a client which does not read.
        ping_after: seconds of silence after which a client is pinged.
        drop_after: seconds of silence after which it is dropped.
        data: directory in which history is kept; None for memory alone.
        retention: what is kept of each room.
        tls: where TLS is offered.
        cert: the certificate and what it is signed by, in PEM; None for one of the server's own making.
        key_file: the private key of `cert`, in PEM; None where it is in the same file.
        insecure: others than this machine may do without TLS.
        open: whoever comes needs no key; None where that holds for this machine alone.
        key: the server's own from now on; empty for the one it has.
        new_key: it is to make another one.
        allow_origin: origins besides its own whose pages may talk to it, and under whose names it is reached.
    """

    host: str = "127.0.0.1"
    port: int = 12345
    rate: float = 10
    burst: int = 20
    max_clients: int = 20_000
    max_per_ip: int = 16
    max_new_per_ip: int = 32
    motd: str = ""
    outbox: int = 256 * 1024
    ping_after: float = 60
    drop_after: float = 120
    data: Path | None = None
    retention: Retention = KEEP_ALL
    tls: TlsMode = TlsMode.auto
    cert: Path | None = None
    key_file: Path | None = None
    insecure: bool = False
    open: bool | None = None
    key: str = field(default="", repr=False)
    new_key: bool = False
    allow_origin: tuple[str, ...] = ()
