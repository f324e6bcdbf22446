"""Where a client calls, and whether a token may go there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import InvalidUrl

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Target:
    """A service's address."""

    origin: str
    """Scheme, host, and a port that is not the scheme's own: the audience that Cloud Run expects."""
    address: str
    """Host and port, for gRPC."""
    secure: bool
    """TLS. Without it the host is this machine."""


def parse(url: str) -> Target:
    """The target at this URL. A token goes over TLS or to this machine: anything else is refused here.

    Raises:
        InvalidUrl: it is not the URL of a service, or a token could be read on its way there.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl(url, str(error)) from error
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme not in _PORTS or not host:
        raise InvalidUrl(url, "it is not the URL of a service")
    if parts.scheme == "http" and not is_this_machine(host):
        raise InvalidUrl(url, "an ID token is sent over https, or to a loopback address, only")
    if parts.path not in ("", "/") or parts.query:
        raise InvalidUrl(url, "it has a path or a query, and gRPC calls an origin")
    bracketed = f"[{host}]" if ":" in host else host
    usual = _PORTS[parts.scheme]
    suffix = "" if port in (None, usual) else f":{port}"
    return Target(
        origin=f"{parts.scheme}://{bracketed}{suffix}",
        address=f"{bracketed}:{port or usual}",
        secure=parts.scheme == "https",
    )


def is_this_machine(host: str) -> bool:
    """Whether it is a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
