"""The token on the wire, against a gRPC server that looks at it."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dev import eventually
from service import ONE, Service, Tokens, serve

from bucket_brigade_client import PollFinished, ProcessRequest, connect, errors
from bucket_brigade_client.v1 import worker_pb2_grpc


def test_a_call_carries_the_token_in_both_headers(service: Service, url: str) -> None:
    with connect(url, credentials=Tokens()) as client:
        client.process(ONE)
        assert list(client.poll()) == [PollFinished(more=True)]
        # The generated code gets it by the same channel.
        worker_pb2_grpc.WorkerServiceStub(client.channel).Process(ProcessRequest())
    assert service.seen == [("Bearer token-1", "Bearer token-1")] * 3


def test_a_request_has_the_objects_key_the_attempt_and_the_deadline(service: Service, url: str) -> None:
    with connect(url, credentials=Tokens()) as client:
        client.process(ONE, attempt=3, timeout=500)
        client.process(ONE)
        list(client.poll())
    assert service.requests[0] == ProcessRequest(object=ONE.to_message(), attempt=3, idempotency_key="data/in/a#7")
    for budget, given in zip(service.budgets, [500, 600, 3600], strict=True):
        # On the wire it has three digits.
        assert given - 100 < budget <= given * 1.01


def test_many_first_calls_fetch_one_token(service: Service, url: str) -> None:
    tokens = Tokens()
    with connect(url, credentials=tokens) as client, ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: client.process(ONE), range(100)))
    assert tokens.fetched == 1
    assert len(service.seen) == 100


def test_a_token_that_ends_soon_is_renewed_and_one_that_cannot_be_is_kept_while_it_is_valid(
    service: Service, url: str
) -> None:
    # google-auth renews in the last minutes of a token's life.
    tokens = Tokens(datetime.timedelta(minutes=1))
    with connect(url, credentials=tokens) as client:
        client.process(ONE)
        client.process(ONE)
        eventually("it is renewed", lambda: tokens.fetched > 1)
        tokens.fails = True
        # The renewals that were under way when it broke may have had their tokens.
        for _ in range(5):
            client.process(ONE)
        assert service.seen[-1][0] == f"Bearer token-{tokens.fetched}"
        tokens.expiry = datetime.datetime(2020, 1, 1)
        with pytest.raises(errors.NoCredentials, match="the identity service is away"):
            client.process(ONE)


def test_a_refused_token_is_renewed_once_and_the_call_goes_on(service: Service, url: str) -> None:
    service.refused = {"token-1"}
    with connect(url, credentials=Tokens()) as client:
        assert client.process(ONE).summary == "done"
    service.seen.clear()
    with connect(url, credentials=Tokens()) as client:
        assert len(list(client.poll())) == 1
    assert [token for token, _ in service.seen] == ["Bearer token-1", "Bearer token-2"]


def test_a_service_that_refuses_every_token_costs_two_fetches_and_not_one_a_call(service: Service, url: str) -> None:
    service.refused = {f"token-{n}" for n in range(100)}
    tokens = Tokens()
    with connect(url, credentials=tokens) as client:
        for _ in range(10):
            with pytest.raises(errors.Unauthenticated):
                client.process(ONE)
            with pytest.raises(errors.Unauthenticated):
                list(client.poll())
    assert tokens.fetched == 2


def test_a_key_file_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    file = tmp_path / "key.json"
    file.write_text('{"type": "service_account"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with connect(url) as client, pytest.raises(errors.NoCredentials, match="service account"):
        client.process(ONE)


TLS = """
import sys
import google.auth.credentials
from bucket_brigade_client import Object, connect

class Token(google.auth.credentials.Credentials):
    def refresh(self, request):
        self.token = "token-1"

with connect(sys.argv[1], credentials=Token()) as client:
    print(client.process(Object(bucket="data", name="in/a", generation=7)).summary)
"""


def test_over_tls_the_token_goes_in_both_headers_and_an_unknown_certificate_gets_none(
    service: Service, tmp_path: Path
) -> None:
    key, certificate = self_signed()
    (tmp_path / "roots.pem").write_bytes(certificate)
    server = serve(service)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    # gRPC reads its roots once a process.
    run = [sys.executable, "-c", TLS, f"https://localhost:{port}"]
    trusting = os.environ | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "roots.pem"), "NO_PROXY": "localhost"}
    try:
        done = subprocess.run(run, env=trusting, capture_output=True, text=True, check=False)
        assert done.stdout == "done\n", done.stderr
        assert service.seen == [("Bearer token-1", "Bearer token-1")]
        doubting = os.environ | {"NO_PROXY": "localhost"}
        done = subprocess.run(run, env=doubting, capture_output=True, text=True, check=False)
        assert "Unavailable" in done.stderr
        assert len(service.seen) == 1
    finally:
        server.stop(None).wait()


def self_signed() -> tuple[bytes, bytes]:
    """A key and a certificate of `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.PEM)
