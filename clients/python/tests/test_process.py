"""`process()` against a real worker, and what it raises."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import grpc
import pytest
from dev import BUCKET, Dev, eventually

from bucket_brigade_client import NeedsFix, Object, ObjectSettled, TryAgain, connect, errors


def objects(dev: Dev) -> dict[str, Object]:
    """What is in the inbox, as the poller lists it."""
    with connect(dev.poller) as poller:
        events = [event for event in poller.poll(dry_run=True) if isinstance(event, ObjectSettled)]
    return {event.object.name.removeprefix("incoming/"): event.object for event in events}


def test_a_worker_processes_one_object_and_says_what_it_did(system: Dev) -> None:
    recording = objects(system)["subject-308.csv"]
    with connect(system.worker) as worker:
        done = worker.process(recording)
        again = worker.process(recording, attempt=2)
    assert "subject 308" in done.summary
    (output,) = done.outputs
    written = system.data / output.removeprefix(f"gs://{BUCKET}/")
    assert json.loads(written.read_text())["subject"] in (308, "308")
    assert list(again.outputs) == [output], "a second call has the same effect"
    assert len(system.names("features/incoming")) == 1
    assert "subject-308.csv" in system.names("incoming"), "moving it is the poller's business"


def test_an_object_that_cannot_be_processed_is_refused_with_its_reason(system: Dev) -> None:
    broken = objects(system)["subject-399.csv"]
    with connect(system.worker) as worker, pytest.raises(errors.Refused, match="column reaction_ms") as raised:
        worker.process(broken)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.reason == "OBJECT_REFUSED"
    assert not isinstance(raised.value, TryAgain | NeedsFix)


def test_a_request_that_makes_no_sense_names_each_wrong_field(system: Dev) -> None:
    with connect(system.worker) as worker, pytest.raises(errors.InvalidArgument) as raised:
        worker.process(Object(bucket=BUCKET), attempt=-1)
    assert raised.value.reason == "REQUEST_MALFORMED"
    fields = [field for field, _ in raised.value.violations]
    assert fields == ["object.name", "object.generation", "attempt"]


def test_a_generation_that_is_no_more_is_aborted_and_blames_nobody(system: Dev) -> None:
    old = objects(system)["subject-308.csv"]
    system.drop("subject-308.csv", "something newer")
    with connect(system.worker) as worker, pytest.raises(errors.Aborted) as raised:
        worker.process(old)
    assert isinstance(raised.value, TryAgain)
    assert raised.value.reason == "OBJECT_SUPERSEDED"


def test_a_program_that_asks_for_time_is_to_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Dev(tmp_path, "--no-samples", "--exec", "sh -c 'exit 75'") as dev:
        dev.be_its_developer(monkeypatch)
        dev.drop("one")
        with connect(dev.worker) as worker, pytest.raises(errors.Unavailable) as raised:
            worker.process(objects(dev)["one"])
    assert isinstance(raised.value, TryAgain)
    assert raised.value.retry_after is not None
    assert raised.value.retry_after.total_seconds() > 0


def test_a_call_that_takes_too_long_ends_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"
    program = tmp_path / "sleeps.py"
    program.write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(3600)\n")
    with Dev(tmp_path, "--no-samples", "--exec", f"{sys.executable} {program} {{}}") as dev:
        dev.be_its_developer(monkeypatch)
        dev.drop("one")
        one = objects(dev)["one"]
        with connect(dev.worker) as worker, pytest.raises(errors.DeadlineExceeded) as raised:
            worker.process(one, timeout=5)
        assert isinstance(raised.value, TryAgain)
        eventually("the program ran", begun.exists)


def test_a_poller_asked_to_process_and_a_worker_asked_to_poll_say_that_the_url_is_wrong(system: Dev) -> None:
    with connect(system.poller) as poller, pytest.raises(errors.Unimplemented, match="URL") as raised:
        poller.process(Object(bucket=BUCKET, name="a", generation=1))
    assert isinstance(raised.value, NeedsFix)
    with connect(system.worker) as worker, pytest.raises(errors.Unimplemented):
        list(worker.poll())


def test_a_worker_whose_wiring_is_wrong_stops_the_poll_and_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gone"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with Dev(tmp_path, "--no-samples", "--exec", f"{program} {{}}") as dev:
        dev.be_its_developer(monkeypatch)
        # One file alone may be the cause itself.
        dev.drop("one")
        dev.drop("two")
        program.unlink()
        with connect(dev.worker) as worker, pytest.raises(errors.PermissionDenied) as denied:
            worker.process(objects(dev)["one"])
        assert denied.value.reason == "WORKER_MISCONFIGURED"
        with connect(dev.poller) as poller, pytest.raises(errors.FailedPrecondition, match="gone") as stopped:
            list(poller.poll())
        assert isinstance(stopped.value, NeedsFix)
        assert dev.names("incoming") == ["one", "two"]


@pytest.mark.usefixtures("system")
def test_a_service_that_is_not_there_is_unavailable() -> None:
    # A port without a listener: this process holds it.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with connect(url) as worker, pytest.raises(errors.Unavailable) as raised:
            worker.process(Object(bucket=BUCKET, name="a", generation=1))
        assert isinstance(raised.value, TryAgain)
        with connect(url) as poller, pytest.raises(errors.Unavailable):
            list(poller.poll())
