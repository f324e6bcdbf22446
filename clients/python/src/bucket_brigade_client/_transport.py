"""The HTTP calls that fetch a token. Only a fetch imports this: google-auth and requests are slow to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import google.auth.transport
import google.auth.transport.requests
import requests

from ._target import is_this_machine

# A server that is there answers in less; google-auth would wait for two minutes, three times.
_SECONDS: Final = 30.0

FLAVOR: Final = {"Metadata-Flavor": "Google"}
"""The header by which a request to the metadata server is known. Such a request holds no secret."""


class Transport(google.auth.transport.Request):
    """google-auth's own, but a secret goes over https or to this machine only, and follows no redirect. A call to this
    machine or to the metadata server goes through no proxy.
    """

    def __init__(self) -> None:
        direct = requests.Session()
        direct.trust_env = False
        self._outside = google.auth.transport.requests.Request()
        self._direct = google.auth.transport.requests.Request(direct)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Makes one request."""
        parts = urlsplit(url)
        local = is_this_machine(parts.hostname or "")
        holds_no_secret = FLAVOR.items() <= {key.title(): value for key, value in (headers or {}).items()}.items()
        if parts.scheme != "https" and not local and not holds_no_secret:
            raise ValueError(f"{url} is neither https nor on this machine, so no secret is sent there")
        request = self._outside if parts.scheme == "https" and not local else self._direct
        seconds = min(timeout or _SECONDS, _SECONDS)
        return request(url, method, body, headers, seconds, allow_redirects=False, **options)
