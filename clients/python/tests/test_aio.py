"""`AsyncClient`: the same answers, and an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from pathlib import Path

import grpc
import pytest
import raw
from dev import Dev, eventually
from google.auth.credentials import AnonymousCredentials
from service import ONE, Service, Tokens
from test_poll import WAITS
from test_retry import AWAY, STARTED, TAKEN

from bucket_brigade_client import (
    AlreadyRunning,
    AsyncClient,
    ObjectSettled,
    PollFinished,
    PollStarted,
    ProcessRequest,
    Settlement,
    connect,
    errors,
)
from bucket_brigade_client.v1 import worker_pb2_grpc

ANONYMOUS = AnonymousCredentials()  # type: ignore[no-untyped-call]


def test_a_poll_settles_18_recordings_as_processed_and_2_as_failed(system: Dev) -> None:
    async def poll() -> None:
        async with AsyncClient(system.poller) as poller:
            events = [event async for event in poller.poll()]
        assert isinstance(events[0], PollStarted)
        assert isinstance(events[-1], PollFinished)
        counts = Counter(event.settlement for event in events if isinstance(event, ObjectSettled))
        assert counts == {Settlement.PROCESSED: 18, Settlement.FAILED: 2}

    asyncio.run(poll())


def test_a_worker_processes_many_objects_at_once(system: Dev) -> None:
    with connect(system.poller) as poller:
        objects = [event.object for event in poller.poll(dry_run=True) if isinstance(event, ObjectSettled)]

    async def process() -> list[object]:
        async with AsyncClient(system.worker) as worker:
            return await asyncio.gather(*(worker.process(one) for one in objects), return_exceptions=True)

    results = asyncio.run(process())
    assert sum(isinstance(result, errors.Refused) for result in results) == 2
    assert sum("slope" in getattr(result, "summary", "") for result in results) == 18


def test_a_client_made_outside_works_in_one_loop_after_another(service: Service, url: str) -> None:
    tokens = Tokens()
    client = AsyncClient(url, credentials=tokens)

    async def process() -> str:
        async with client:
            await worker_pb2_grpc.WorkerServiceStub(client.channel).Process(ProcessRequest())
            return (await client.process(ONE)).summary

    assert [asyncio.run(process()) for _ in range(3)] == ["done"] * 3
    assert tokens.fetched == 1
    assert service.seen == [("Bearer token-1", "Bearer token-1")] * 6


def test_a_refused_token_is_renewed_once_and_the_call_goes_on(service: Service, url: str) -> None:
    async def call(*, poll: bool) -> None:
        async with AsyncClient(url, credentials=Tokens()) as client:
            if poll:
                assert [type(event) async for event in client.poll()] == [PollFinished]
            else:
                assert (await client.process(ONE)).summary == "done"

    service.refused = {"token-1"}
    for poll in (False, True):
        service.seen.clear()
        asyncio.run(call(poll=poll))
        assert [token for token, _ in service.seen] == ["Bearer token-1", "Bearer token-2"]


def test_what_is_safe_is_tried_again(service: Service, url: str) -> None:
    async def call() -> None:
        async with AsyncClient(url, credentials=Tokens(), retry=2) as client:
            service.failures = [AWAY, AWAY]
            assert (await client.process(ONE)).summary == "done"
            service.failures = [AWAY, AWAY]
            assert [type(event) async for event in client.poll()] == [PollFinished]
            service.failures = [AWAY, AWAY, AWAY]
            with pytest.raises(errors.Unavailable):
                await client.process(ONE)

    asyncio.run(call())
    assert len(service.seen) == 9


def test_an_inbox_that_is_taken_is_an_error_or_waited_for(service: Service, url: str) -> None:
    service.events = [STARTED, TAKEN]

    async def call() -> None:
        async with AsyncClient(url, credentials=Tokens()) as client:
            with pytest.raises(AlreadyRunning, match="poll 2"):
                [event async for event in client.poll()]
            poll = client.poll(wait=True)
            assert isinstance(await anext(poll), PollStarted)
            waiting = asyncio.create_task(_all(poll))
            await asyncio.sleep(0)
            service.events = [STARTED]
            assert set(map(type, await waiting)) == {PollStarted}

    asyncio.run(call())


async def _all(poll: object) -> list[object]:
    return [event async for event in poll]  # type: ignore[attr-defined]


def test_a_calls_timeout_bounds_the_fetch_of_its_token_and_the_loop_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def call() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with AsyncClient(url) as client:
            with pytest.raises(errors.DeadlineExceeded, match="no ID token"):
                await client.process(ONE, timeout=1)
            with pytest.raises(errors.DeadlineExceeded, match="no ID token"):
                [event async for event in client.poll(timeout=0.5)]
            # A caller that gives up ends no one else's fetch.
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.process(ONE), 0.1)
        ticking.cancel()
        return ticks

    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{silent.getsockname()[1]}")
        assert asyncio.run(call()) > 1


@pytest.mark.parametrize("end", ["close", "leave the with", "cancel the task"])
def test_a_cancelled_poll_dispatches_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    calls, gate, program = tmp_path / "calls", tmp_path / "gate", tmp_path / "waits.py"
    program.write_text(WAITS)
    exec_ = f"{sys.executable} {program} {calls} {gate} {{}}"

    async def begin_and_end(url: str) -> None:
        async with AsyncClient(url) as client:
            poll = client.poll()
            assert isinstance(await anext(poll), PollStarted)
            await asyncio.to_thread(eventually, "a worker was asked", calls.exists)
            waiting = asyncio.create_task(_all(poll))
            await asyncio.sleep(0)
            if end == "close":
                poll.close()
            elif end == "leave the with":
                async with poll:
                    pass
            else:
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                return
            assert await waiting == []

    with Dev(tmp_path, "--no-samples", "--exec", exec_) as dev:
        dev.be_its_developer(monkeypatch)
        for n in range(40):
            dev.drop(f"{n:03}")
        asyncio.run(begin_and_end(dev.poller))
        eventually("the poller heard of it", lambda: "poll ends early" in dev.log())
        gate.touch()
        eventually("what was in flight settled", lambda: "poll finished" in dev.log())
        assert len(dev.names("processed")) == len(calls.read_text().split()) < 40


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (raw.status(3), errors.InvalidArgument),
        (raw.status(14), errors.Unavailable),
        (raw.page(403), errors.PermissionDenied),
        (raw.page(404), errors.Unimplemented),
        (raw.page(503), errors.Unavailable),
        (raw.no_status, errors.Unavailable),
        (raw.cut_message, errors.Unavailable),
        (raw.reset, errors.Unavailable),
        (raw.hang_up, errors.Unavailable),
    ],
)
def test_an_answer_has_the_same_exception(answer: raw.Answer, kind: type[errors.BrigadeError]) -> None:
    async def call(url: str) -> None:
        async with AsyncClient(url, credentials=ANONYMOUS) as client:
            with pytest.raises(errors.BrigadeError) as processed:
                await client.process(ONE, timeout=60)
            with pytest.raises(errors.BrigadeError) as polled:
                [event async for event in client.poll(timeout=60)]
        for raised in (processed, polled):
            assert type(raised.value) is kind, raised.value
            assert isinstance(raised.value.__cause__, grpc.RpcError)

    with raw.serving(answer) as url:
        asyncio.run(call(url))
