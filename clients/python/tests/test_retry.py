"""Calls that are made again."""

from __future__ import annotations

import time

import grpc
import pytest
import raw
from google.auth.credentials import AnonymousCredentials
from service import ONE, Service, Tokens

from bucket_brigade_client import PollFinished, PollStarted, connect, errors
from bucket_brigade_client.v1 import poller_pb2

AWAY, FULL = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED
ANONYMOUS = AnonymousCredentials()  # type: ignore[no-untyped-call]
STARTED = poller_pb2.PollResponse(started=poller_pb2.PollStarted(poll_id="1"))
TAKEN = poller_pb2.PollResponse(
    finished=poller_pb2.PollFinished(
        reason=poller_pb2.END_REASON_ALREADY_RUNNING, holder=poller_pb2.LeaseHolder(poll_id="2")
    )
)


def test_without_retry_a_call_is_made_once(service: Service, url: str) -> None:
    service.failures = [AWAY]
    with connect(url, credentials=Tokens()) as client, pytest.raises(errors.Unavailable):
        client.process(ONE)
    assert len(service.seen) == 1


def test_a_worker_that_is_away_or_full_is_asked_again(service: Service, url: str) -> None:
    service.failures = [AWAY, FULL]
    with connect(url, credentials=Tokens(), retry=2) as client:
        assert client.process(ONE).summary == "done"
    assert [request.attempt for request in service.requests] == [1]
    assert len(service.seen) == 3


def test_the_last_error_is_raised_when_no_retry_is_left(service: Service, url: str) -> None:
    service.failures = [AWAY] * 5
    with connect(url, credentials=Tokens(), retry=2) as client, pytest.raises(errors.Unavailable):
        client.process(ONE)
    assert len(service.seen) == 3


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0] not in (0, 8, 14, 16)])
def test_no_other_answer_is_asked_for_again(service: Service, url: str, code: grpc.StatusCode) -> None:
    service.failures = [code]
    with connect(url, credentials=Tokens(), retry=5) as client, pytest.raises(errors.BrigadeError):
        client.process(ONE)
    assert len(service.seen) == 1


def test_no_pause_outlasts_the_deadline(service: Service, url: str) -> None:
    service.failures = [AWAY] * 1000
    with connect(url, credentials=Tokens(), retry=1000) as client, pytest.raises(errors.Unavailable):
        client.process(ONE, timeout=1)
    assert 1 < len(service.seen) < 20


def test_a_poll_is_tried_again_before_its_first_event_and_not_after_it(service: Service, url: str) -> None:
    service.failures = [AWAY, AWAY]
    with connect(url, credentials=Tokens(), retry=2) as client:
        assert [type(event) for event in client.poll()] == [PollFinished]
        assert len(service.seen) == 3
        service.events, service.failures = [STARTED], [None, AWAY]
        poll = client.poll()
        assert isinstance(next(poll), PollStarted)
        with pytest.raises(errors.Unavailable):
            list(poll)
    assert len(service.seen) == 4


def test_a_poller_that_is_full_is_not_asked_again(service: Service, url: str) -> None:
    service.failures = [FULL]
    with connect(url, credentials=Tokens(), retry=2) as client, pytest.raises(errors.ResourceExhausted):
        list(client.poll())
    assert len(service.seen) == 1


def test_a_broken_connection_is_tried_again() -> None:
    answers = [raw.hang_up, raw.page(503), raw.status(3)]
    with (
        raw.serving(lambda connection, stream: answers.pop(0)(connection, stream)) as url,
        connect(url, credentials=ANONYMOUS, retry=2) as client,
        pytest.raises(errors.InvalidArgument),
    ):
        client.process(ONE)
    assert not answers


def test_an_inbox_that_is_taken_is_an_error_that_names_the_other_poll(service: Service, url: str) -> None:
    service.events = [STARTED, TAKEN]
    with connect(url, credentials=Tokens(), retry=5) as client:
        poll = client.poll()
        assert isinstance(next(poll), PollStarted)
        with pytest.raises(errors.AlreadyRunning, match="poll 2") as raised:
            next(poll)
        assert list(poll) == []
    assert raised.value.holder is not None
    assert raised.value.holder.poll_id == "2"
    assert isinstance(raised.value, errors.TryAgain)
    assert len(service.seen) == 1


def test_a_poll_that_waits_does_so_until_its_deadline(service: Service, url: str) -> None:
    service.events = [STARTED, TAKEN]
    began = time.monotonic()
    with connect(url, credentials=Tokens()) as client, pytest.raises(errors.AlreadyRunning):
        # A poller refuses a poll with less than 6 s.
        list(client.poll(wait=True, timeout=9))
    assert time.monotonic() - began < 9
    assert len(service.seen) > 1
