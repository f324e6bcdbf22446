"""Callers without a token beside a caller with one, on one channel of grpcio, as behind a proxy that shares connections."""

import socket
import threading
import time

import grpc
import requests

from running import Emulator, Process, brigade, free_port

PROCESS = "/brigade.v1.WorkerService/Process"
AT_ONCE = 90
BODY = bytes(20_000)


def token(google, audience):
    """Of the account that the emulator's metadata server has."""
    url = f"http://{google.env['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/default/identity"
    query = {"audience": audience, "format": "full"}
    answer = requests.get(url, params=query, headers={"Metadata-Flavor": "Google"}, timeout=60)
    answer.raise_for_status()
    return answer.text


def pass_on(source, target, size, pause):
    try:
        while some := source.recv(size):
            target.sendall(some)
            time.sleep(pause)
    except OSError:
        pass
    target.close()


def network(port):
    """A port that leads to this one and carries bodies slower than answers, as a network does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, target, size, pause in [(client, server, 4096, 0.0005), (server, client, 65536, 0)]:
                threading.Thread(target=pass_on, args=(source, target, size, pause), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_refused_calls_on_a_shared_channel_end_no_good_call():
    port = free_port()
    audience = f"http://127.0.0.1:{port}"
    with Emulator("--memory", "--bucket", "data") as google:
        settings = {
            "PORT": port,
            "BRIGADE_BIND": "127.0.0.1",
            "BRIGADE_AUDIENCE": audience,
            "BRIGADE_ALLOWED_CALLERS": "default@brigade-dev.iam.gserviceaccount.com",
            "RUST_LOG": "warn",
        }
        worker = Process([brigade(), "worker", "--exec", "true"], env=google.env | settings).wait_for_port(port)
        with worker, grpc.insecure_channel(f"127.0.0.1:{network(port)}") as channel:
            good = [("authorization", f"Bearer {token(google, audience)}")]
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", metadata=good, timeout=600)
            assert next(watch) == b"\x08\x01"
            refused = channel.unary_unary(PROCESS)
            for _ in range(3_000 // AT_ONCE + 1):
                calls = [refused.future(BODY, timeout=120) for _ in range(AT_ONCE)]
                assert {call.code() for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
            assert watch.is_active()
            # The same connection still takes calls of a caller with a token; this one lacks its object.
            with_token = refused.future(b"", metadata=good, timeout=120)
            assert with_token.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert watch.is_active()
            watch.cancel()
