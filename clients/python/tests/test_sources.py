"""Where a token comes from, and what happens when it does not."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dev import PATIENCE, Dev
from service import ONE, Service, Tokens

from bucket_brigade_client import NeedsFix, TryAgain, connect, errors

SCHEDULER = "scheduler@brigade-dev.iam.gserviceaccount.com"


@pytest.fixture(autouse=True)
def _nothing_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BRIGADE_IMPERSONATE", "GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "GCE_METADATA_IP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def key_file(folder: Path, token_uri: str) -> str:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    info = {"type": "service_account", "client_email": "a@p.iam", "private_key_id": "1", "token_uri": token_uri}
    path = folder / "key.json"
    path.write_text(json.dumps(info | {"private_key": pem.decode()}))
    return str(path)


def gcloud(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "gcloud"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def impersonate(system: Dev, monkeypatch: pytest.MonkeyPatch, account: str = SCHEDULER) -> None:
    monkeypatch.delenv("GCE_METADATA_HOST")
    monkeypatch.setenv("BRIGADE_IMPERSONATE", account)
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", system.emulator)


def access_token(system: Dev) -> str:
    url = f"{system.emulator}/computeMetadata/v1/instance/service-accounts/default/token"
    asked = urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
        return str(json.load(answer)["access_token"])


def test_a_user_acts_as_the_account_that_brigade_impersonate_names(
    system: Dev, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    impersonate(system, monkeypatch)
    gcloud(tmp_path, f'[ "$*" = "auth print-access-token" ] && echo {access_token(system)}', monkeypatch)
    with connect(system.poller) as poller:
        assert len(list(poller.poll(dry_run=True))) == 22
    assert SCHEDULER in system.log()


@pytest.mark.parametrize(
    ("account", "script", "says"),
    [
        ("absent@p.iam.gserviceaccount.com", "echo {}", "no such service account"),
        (SCHEDULER, "echo nonsense", "your login is not accepted"),
        (SCHEDULER, "exit 1", "gcloud has none either"),
        ("a/../b@p", "echo {}", "not a service account's email"),
    ],
)
def test_an_impersonation_that_fails_says_why(
    system: Dev, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str, script: str, says: str
) -> None:
    impersonate(system, monkeypatch, account)
    gcloud(tmp_path, script.format(access_token(system)), monkeypatch)
    with connect(system.poller) as poller, pytest.raises(errors.NoCredentials, match=says):
        poller.poll()


def test_no_secret_goes_out_in_the_clear(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key_file(tmp_path, "http://oauth2.example/token"))
    with connect(url) as client, pytest.raises(errors.NoCredentials, match="neither https nor on this machine"):
        client.process(ONE)
    gcloud(tmp_path, "echo secret", monkeypatch)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("BRIGADE_IMPERSONATE", SCHEDULER)
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "http://iam.example")
    with connect(url) as client, pytest.raises(errors.NoCredentials, match="neither https nor on this machine"):
        client.process(ONE)


@pytest.mark.parametrize("variable", ["GCE_METADATA_HOST", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_a_calls_timeout_bounds_the_fetch_of_its_token(
    url: str, silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    file = key_file(tmp_path, f"http://{silent}/token")
    monkeypatch.setenv(variable, silent if variable == "GCE_METADATA_HOST" else file)
    began = time.monotonic()
    with connect(url, retry=5) as client:
        with pytest.raises(errors.DeadlineExceeded, match=r"no ID token for .* within 1 s") as raised:
            client.process(ONE, timeout=1)
        with pytest.raises(errors.DeadlineExceeded):
            client.poll(timeout=0.5)
    # google-auth itself would wait for minutes.
    assert time.monotonic() - began < 30
    assert isinstance(raised.value, TryAgain)
    assert raised.value.code is None


def test_a_token_that_is_still_valid_is_sent_while_its_renewal_hangs(service: Service, url: str) -> None:
    class Hangs(Tokens):
        def refresh(self, request: object) -> None:
            if self.token is not None:
                began.set()
                free.wait(PATIENCE)
            super().refresh(request)

    began, free = threading.Event(), threading.Event()
    with connect(url, credentials=Hangs(datetime.timedelta(minutes=2))) as client:
        for _ in range(5):
            client.process(ONE, timeout=60)
        assert began.wait(PATIENCE)
        assert not free.is_set()
        free.set()
    assert {token for token, _ in service.seen} == {"Bearer token-1"}


def unsigned(audience: str, life: float) -> bytes:
    """An ID token without a signature."""
    claims = json.dumps({"aud": audience, "exp": time.time() + life}).encode()
    return b"e30." + base64.urlsafe_b64encode(claims).rstrip(b"=") + b".e30"


class Answers(BaseHTTPRequestHandler):
    """A metadata server, or what is none."""

    status = 200
    flavor = "Google"
    body = b"nonsense"
    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        self.send_header("Metadata-Flavor", self.flavor)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def answering(handler: type[Answers]) -> Iterator[str]:
    """Its host and port."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "kind", "says", "asked"),
    [
        ({"status": 404}, errors.NoCredentials, "no service account", 1),
        ({"flavor": "none"}, errors.NoCredentials, "Metadata-Flavor", 1),
        ({}, errors.NoCredentials, "returned no ID token", 1),
        ({"body": unsigned("https://another.example", 3600)}, errors.NoCredentials, "another audience", 1),
        ({"body": unsigned("https://service.example", -1)}, errors.NoCredentials, "expired", 1),
        ({"status": 503}, errors.Unavailable, "HTTP 503", 3),
    ],
)
def test_a_metadata_server_without_a_token_says_why(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, object],
    kind: type[errors.BrigadeError],
    says: str,
    asked: int,
) -> None:
    handler = type("Handler", (Answers,), answer | {"asked": 0})
    with answering(handler) as host:
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        with connect(url, audience="https://service.example") as client, pytest.raises(kind, match=says):
            client.process(ONE)
    assert vars(handler)["asked"] == asked


def test_a_key_file_gives_an_id_token_or_acts_as_another_account(
    system: Dev, service: Service, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = unsigned(url, 3600).decode()
    answer = json.dumps({"id_token": token, "access_token": access_token(system), "expires_in": 3600}).encode()
    with answering(type("Handler", (Answers,), {"body": answer})) as host:
        file = key_file(tmp_path, f"http://{host}/token")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
        with connect(url) as client:
            client.process(ONE)
        assert service.seen == [(f"Bearer {token}", f"Bearer {token}")]

        impersonate(system, monkeypatch)
        with connect(system.poller) as poller:
            assert len(list(poller.poll(dry_run=True))) == 22
        monkeypatch.delenv("BRIGADE_IMPERSONATE")
        source = {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": f"https://iam.example/v1/x/{SCHEDULER}:generateAccessToken",
            "source_credentials": json.loads(Path(file).read_text()),
        }
        Path(file).write_text(json.dumps(source))
        with connect(system.poller) as poller:
            assert len(list(poller.poll(dry_run=True))) == 22


def test_a_source_that_is_away_is_tried_again_and_is_no_setting_to_fix(
    url: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{held.getsockname()[1]}")
        with connect(url) as client, pytest.raises(errors.Unavailable, match="no ID token") as raised:
            client.process(ONE)
    assert not isinstance(raised.value, NeedsFix)
    assert not service.seen


@pytest.mark.parametrize("error", [KeyError("token_uri"), AttributeError("x"), RuntimeError("x"), OSError("x")])
def test_what_credentials_raise_is_an_error_of_this_package(url: str, error: Exception) -> None:
    class Broken(Tokens):
        def refresh(self, request: object) -> None:
            raise error

    with connect(url, credentials=Broken()) as client, pytest.raises(errors.NoCredentials) as raised:
        client.process(ONE)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type": "authorized_user"}', "an ID token needs a service_account"),
        ('{"type": "service_account", "client_email": "a"}', "service account"),
    ],
)
def test_a_key_file_that_is_none_says_what_it_is(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "key.json").write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with connect(url) as client, pytest.raises(errors.NoCredentials, match=says):
        client.process(ONE)
