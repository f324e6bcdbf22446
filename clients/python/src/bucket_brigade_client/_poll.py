"""The events of one poll."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import errors
from ._enums import EndReason
from ._model import Event, PollFinished, event
from ._status import Call
from ._stream import Reading, Stream
from .v1.poller_pb2 import PollRequest, PollResponse
from .v1.poller_pb2_grpc import PollerServiceStub


class PollReading(Reading[Event]):
    """One that has begun is not repeated."""

    call = Call.POLL

    def __init__(self, request: PollRequest) -> None:
        self.request = request

    def method(self, channel: Any) -> Any:  # noqa: ANN401
        """`Poll`."""
        return PollerServiceStub(channel).Poll

    def take(self, response: PollResponse) -> Iterable[Event]:
        """Its event; none of one that a newer poller sent."""
        found = event(response)
        if isinstance(found, PollFinished) and found.reason == EndReason.ALREADY_RUNNING:
            raise errors.AlreadyRunning(found)
        return [] if found is None else [found]


class Poll(Stream[Event]):
    """The events of one poll, as they happen: first `PollStarted`, last `PollFinished`.

    Closing it cancels the poll: nothing new is dispatched, and what is in flight settles. So does leaving its `with`,
    and dropping it. The iteration raises `AlreadyRunning` when another poll runs on the inbox.
    """
