"""Tokens that the real services refuse, and an environment without any."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google.auth.credentials
import pytest
from dev import BUCKET, ROOT, Dev, environment
from google.auth.credentials import AnonymousCredentials

from bucket_brigade_client import NeedsFix, Object, connect, errors

ONE = Object(bucket=BUCKET, name="incoming/subject-308.csv", generation=1)


class Account(google.auth.credentials.Credentials):
    """Another account of the emulator."""

    def __init__(self, dev: Dev, email: str, audience: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        accounts = f"{dev.emulator}/computeMetadata/v1/instance/service-accounts"
        self._url = f"{accounts}/{email}/identity?format=full&audience={audience}"

    def refresh(self, request: object) -> None:
        asked = urllib.request.Request(self._url, headers={"Metadata-Flavor": "Google"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
            self.token = answer.read().decode()


def test_a_token_for_another_audience_is_not_believed(system: Dev) -> None:
    with connect(system.worker, audience="https://another.example") as worker:
        with pytest.raises(errors.Unauthenticated, match="audience") as raised:
            worker.process(ONE)
        with pytest.raises(errors.Unauthenticated):
            list(worker.poll())
    assert isinstance(raised.value, NeedsFix)
    assert len(system.names("incoming")) == 20


def test_a_refusal_is_never_mistaken_for_a_broken_wire(system: Dev) -> None:
    """gRPC loses the status of some pages when many streaming calls are answered at once."""
    stranger = Account(system, "scheduler@brigade-dev.iam.gserviceaccount.com", system.worker)

    def refused(_: int) -> type[errors.BrigadeError]:
        with connect(system.worker, credentials=stranger) as worker:
            # Over a connection that stands it happens most.
            with pytest.raises(errors.PermissionDenied):
                worker.process(ONE)
            with pytest.raises(errors.BrigadeError) as raised:
                list(worker.poll())
        return type(raised.value)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(refused, range(400))) == {errors.PermissionDenied}


def test_a_good_token_of_a_stranger_is_denied(system: Dev) -> None:
    stranger = Account(system, "scheduler@brigade-dev.iam.gserviceaccount.com", system.worker)
    denied = pytest.raises(errors.PermissionDenied, match=r"roles/run\.invoker")
    with connect(system.worker, credentials=stranger) as worker, denied as raised:
        worker.process(ONE)
    assert isinstance(raised.value, NeedsFix)


def test_without_a_token_no_call_is_accepted(system: Dev) -> None:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    with connect(system.poller, credentials=anonymous) as poller, pytest.raises(errors.PermissionDenied):
        list(poller.poll())
    assert len(system.names("incoming")) == 20


def test_credentials_of_ones_own_are_taken(system: Dev) -> None:
    scheduler = Account(system, "scheduler@brigade-dev.iam.gserviceaccount.com", system.poller)
    with connect(system.poller, credentials=scheduler) as poller:
        assert len(list(poller.poll(dry_run=True))) == 22
    assert "scheduler@" in system.log()


def test_an_environment_without_an_identity_says_so_and_sends_nothing(
    system: Dev, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "no-such-file.json"))
    with connect(system.poller) as poller:
        with pytest.raises(errors.NoCredentials, match="GOOGLE_APPLICATION_CREDENTIALS") as raised:
            poller.poll()
        with pytest.raises(errors.NoCredentials):
            poller.process(ONE)
    assert isinstance(raised.value, NeedsFix)
    assert raised.value.code is None
    assert "poll started" not in system.log()


def test_no_error_and_no_log_holds_the_token(system: Dev) -> None:
    account = Account(system, "scheduler@brigade-dev.iam.gserviceaccount.com", system.worker)
    with connect(system.worker, credentials=account) as worker, pytest.raises(errors.PermissionDenied) as raised:
        worker.process(ONE)
    assert account.token
    for text in [str(raised.value), repr(raised.value), repr(raised.value.__cause__), system.log()]:
        assert account.token not in text
        assert account.token.split(".")[2] not in text


@pytest.mark.parametrize(
    ("name", "which"), [("README.md", 1), ("clients/python/README.md", 1), ("clients/python/README.md", 2)]
)
def test_the_readmes_lines_poll(system: Dev, name: str, which: int) -> None:
    """In a process of its own: nothing but the environment says who it is."""
    readme = (ROOT / name).read_text(encoding="utf-8")
    block = readme.split("```python\n")[which].split("```")[0]
    url = "https://poller-….run.app"
    assert url in block
    host = system.emulator.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-c", block.replace(url, system.poller)],
        env=environment() | {"GCE_METADATA_HOST": host, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Settlement.PROCESSED") == 18
    assert "poll_id" in done.stdout
