"""`poll()` against a real poller, worker, storage and tokens."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from dev import Dev, eventually

from bucket_brigade_client import (
    AlreadyRunning,
    Client,
    EndReason,
    Filter,
    ObjectSettled,
    ObjectSkipped,
    Poll,
    PollFinished,
    PollStarted,
    Settlement,
    connect,
    errors,
)

# `brigade dev` has this many objects in flight at once, and there are more.
AT_ONCE = 32
MANY = 80

# Notes each call, says nothing until the gate is open, and then accepts.
WAITS = """
import os, pathlib, sys, time
calls, gate = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
with open(calls, "a") as log:
    log.write(os.environ["OBJECT_NAME"] + "\\n")
while not gate.exists():
    time.sleep(0.02)
"""


def settled(poll: Poll) -> tuple[Counter[str], PollFinished]:
    events = list(poll)
    assert isinstance(events[0], PollStarted)
    assert isinstance(events[-1], PollFinished)
    counts = Counter(event.settlement.name for event in events if isinstance(event, ObjectSettled))
    return counts, events[-1]


def test_a_poll_settles_18_recordings_as_processed_and_2_as_failed(system: Dev) -> None:
    with connect(system.poller) as poller:
        counts, finished = settled(poller.poll())
        assert counts == {"PROCESSED": 18, "FAILED": 2}
        assert finished.reason == EndReason.COMPLETE
        assert not finished.more
        assert (finished.counts.found, finished.counts.processed, finished.counts.failed) == (20, 18, 2)
        again, finished = settled(poller.poll())
    assert not again
    assert finished.counts.found == 0
    assert len(system.names("processed")) == 18
    assert system.names("failed") == ["subject-398.csv", "subject-399.csv"]
    assert system.names("incoming") == []


def test_an_event_says_what_became_of_an_object_and_why(system: Dev) -> None:
    with connect(system.poller) as poller:
        events = {e.object.name: e for e in poller.poll() if isinstance(e, ObjectSettled)}
    good = events["incoming/subject-308.csv"]
    assert good.destination == "gs://brigade-dev/processed/subject-308.csv"
    assert len(good.outputs) == 1
    assert good.outputs[0].startswith("gs://brigade-dev/features/subject-308")
    assert "slope" in good.summary
    bad = events["incoming/subject-399.csv"]
    assert bad.settlement == Settlement.FAILED
    assert "column reaction_ms" in bad.reason
    assert bad.status_code == 3


def test_a_dry_run_moves_nothing_and_explain_tells_of_what_was_left_out(system: Dev) -> None:
    system.hold("subject-308.csv")
    with connect(system.poller) as poller:
        counts, finished = settled(poller.poll(dry_run=True))
        assert counts == {"PLANNED": 19}
        assert finished.counts.skipped == 1
        events = list(poller.poll(dry_run=True, explain=True))
    assert len(system.names("incoming")) == 20
    (skipped,) = (event for event in events if isinstance(event, ObjectSkipped))
    assert skipped.object.name == "incoming/subject-308.csv"
    assert skipped.filter == Filter.HELD
    assert skipped.detail


def test_a_prefix_and_a_budget_narrow_a_poll(system: Dev) -> None:
    with connect(system.poller) as poller:
        counts, finished = settled(poller.poll(prefix="subject-33", max_objects=3))
        assert counts == {"PROCESSED": 3}
        assert finished.reason == EndReason.MAX_OBJECTS
        assert finished.more
    assert all(name.startswith("subject-33") for name in system.names("processed"))


def test_a_request_that_cannot_be_met_is_an_invalid_argument(system: Dev) -> None:
    with connect(system.poller) as poller, pytest.raises(errors.InvalidArgument, match="max_objects"):
        list(poller.poll(max_objects=-1))


def close(poll: Poll) -> None:
    poll.close()


def leave_the_with(poll: Poll) -> None:
    with poll:
        pass


def break_out_of_the_for(poll: Poll) -> None:
    """The caller drops the last reference to it."""


@pytest.mark.parametrize("cancel", [close, leave_the_with, break_out_of_the_for])
def test_a_cancelled_poll_dispatches_nothing_new_and_the_next_one_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancel: Callable[[Poll], None]
) -> None:
    calls, gate, program = tmp_path / "calls", tmp_path / "gate", tmp_path / "waits.py"
    program.write_text(WAITS)
    exec_ = f"{sys.executable} {program} {calls} {gate} {{}}"
    with Dev(tmp_path, "--no-samples", "--exec", exec_) as dev:
        dev.be_its_developer(monkeypatch)
        for n in range(MANY):
            dev.drop(f"{n:03}")

        with connect(dev.poller) as poller:
            begin_and(cancel, poller, calls)
            # It knows before anything that is in flight may end, and so make room.
            eventually("the poller heard of it", lambda: "poll ends early" in dev.log())
            gate.touch()
            eventually("what was in flight settled", lambda: "poll finished" in dev.log())
            asked = calls.read_text().split()
            assert 0 < len(asked) <= AT_ONCE
            assert len(dev.names("processed")) == len(asked)

            # The lease is given back right after the cancelled poll's last event.
            counts, finished = settled(poller.poll(wait=True))
            assert finished.reason == EndReason.COMPLETE
            assert counts == {"PROCESSED": MANY - len(asked)}
        everything = calls.read_text().split()
        assert len(everything) == len(set(everything)) == MANY, "each object was asked about once"
        assert dev.names("incoming") == []


def begin_and(cancel: Callable[[Poll], None], poller: Client, calls: Path) -> None:
    poll = poller.poll()
    assert isinstance(next(poll), PollStarted)
    eventually("a worker was asked", calls.exists)
    cancel(poll)
    if cancel is not break_out_of_the_for:
        assert list(poll) == [], "a poll that was closed has no more events"


def test_a_poll_that_finds_another_one_at_work_is_an_error_that_names_it_or_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, gate, program = tmp_path / "calls", tmp_path / "gate", tmp_path / "waits.py"
    program.write_text(WAITS)
    exec_ = f"{sys.executable} {program} {calls} {gate} {{}}"
    with Dev(tmp_path, "--no-samples", "--exec", exec_) as dev:
        dev.be_its_developer(monkeypatch)
        dev.drop("one")
        with connect(dev.poller) as poller, poller.poll() as first:
            started = next(first)
            assert isinstance(started, PollStarted)
            eventually("a worker was asked", calls.exists)
            with pytest.raises(AlreadyRunning, match=started.poll_id) as raised:
                list(poller.poll())
            assert raised.value.holder is not None
            assert raised.value.holder.poll_id == started.poll_id
            waiting = poller.poll(wait=True)
            assert isinstance(next(waiting), PollStarted)
            gate.touch()
            *_, last = first
            assert isinstance(last, PollFinished)
            assert last.counts.processed == 1
            *_, last = waiting
            assert isinstance(last, PollFinished)
            assert last.reason == EndReason.COMPLETE
