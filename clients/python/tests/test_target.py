"""Where a token may go, and whom it is for."""

from __future__ import annotations

import pytest

from bucket_brigade_client import _target, connect
from bucket_brigade_client.errors import BrigadeError, InvalidUrl


@pytest.mark.parametrize(
    ("url", "origin", "address"),
    [
        ("https://worker-x.a.run.app", "https://worker-x.a.run.app", "worker-x.a.run.app:443"),
        ("https://worker-x.a.run.app/", "https://worker-x.a.run.app", "worker-x.a.run.app:443"),
        ("https://u:p@worker.run.app./#d", "https://worker.run.app", "worker.run.app:443"),
        ("https://worker.run.app:443/", "https://worker.run.app", "worker.run.app:443"),
        ("https://worker.run.app:8443/", "https://worker.run.app:8443", "worker.run.app:8443"),
        ("https://Worker.Run.App", "https://worker.run.app", "worker.run.app:443"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081", "127.0.0.1:8081"),
        ("http://localhost", "http://localhost", "localhost:80"),
        ("http://[::1]:8081", "http://[::1]:8081", "[::1]:8081"),
    ],
)
def test_an_audience_is_the_origin_alone(url: str, origin: str, address: str) -> None:
    target = _target.parse(url)
    assert (target.origin, target.address) == (origin, address)
    assert target.secure == url.startswith("https")


@pytest.mark.parametrize("url", ["https://worker.run.app/poll", "https://worker.run.app/?a=b", "http://127.0.0.1:1/a"])
def test_a_url_with_a_path_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="it has a path or a query"):
        connect(url)


@pytest.mark.parametrize("retry", [-1, "3", 1.5, None])
def test_a_number_of_retries_that_is_none_is_refused_at_once(retry: object) -> None:
    with pytest.raises(ValueError, match="expected 0, or how many more times"):
        connect("https://worker.run.app", retry=retry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://worker.run.app",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://0.0.0.0:80",
        "worker.run.app",
        "ftp://worker.run.app",
        "https://",
        "https://worker.run.app:port",
        "https://[::1",
        "",
    ],
)
def test_a_token_goes_nowhere_else(url: str) -> None:
    with pytest.raises(InvalidUrl) as raised:
        connect(url)
    assert isinstance(raised.value, BrigadeError)
    assert isinstance(raised.value, ValueError)
