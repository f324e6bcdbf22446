"""The events of one poll."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

import grpc

from . import errors
from ._identity import Identity
from ._status import Call, from_rpc, from_stream
from .v1.poller_pb2 import (
    ObjectSettled,
    ObjectSkipped,
    PollFinished,
    PollRequest,
    PollResponse,
    PollStarted,
)
from .v1.poller_pb2_grpc import PollerServiceStub

if TYPE_CHECKING:
    from grpc import _CallIterator
    from typing_extensions import Self

Event = PollStarted | ObjectSettled | ObjectSkipped | PollFinished
"""One event of a poll."""


class Poll(Iterator[Event]):
    """The events of one poll, as they happen: first `PollStarted`, last `PollFinished`.

    Closing it cancels the poll: nothing new is dispatched, and what is in flight settles. So does leaving its `with`,
    and dropping it.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        request: PollRequest,
        timeout: float | None,
        identity: Identity,
    ) -> None:
        self._channel = channel
        self._request = request
        self._timeout = timeout
        self._identity = identity
        self._closed = False
        self._begun = False
        self._call = self._start()

    def __next__(self) -> Event:
        """Waits for the next event.

        Raises:
            BrigadeError: one of `bucket_brigade_client.errors`: the poll could not go on.
        """
        while not self._closed:
            try:
                response = next(self._call)
            except grpc.RpcError as error:
                if not self._closed:
                    self._failed(error)
                continue
            self._begun = True
            if (event := _event(response)) is not None:
                return event
        raise StopIteration

    def close(self) -> None:
        """Cancels the poll, if it has not ended. A waiting caller gets no event."""
        self._closed = True
        self._call.cancel()

    def __enter__(self) -> Self:
        """The poll itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    def __del__(self) -> None:
        """Closes it: a `for` that was left by `break` needs no more."""
        if hasattr(self, "_call"):
            self.close()

    def _start(self) -> _CallIterator[PollResponse]:
        self._identity.headers()
        return PollerServiceStub(self._channel).Poll(self._request, timeout=self._timeout)

    def _failed(self, error: grpc.RpcError) -> None:
        """Starts again with another token when the first one was refused; else the poll is over."""
        if self._begun:
            self._closed = True
            raise from_rpc(error, Call.POLL) from error
        failed = from_stream(error, self._channel)
        if isinstance(failed, errors.Unauthenticated) and self._identity.renew():
            self._call = self._start()
            return
        self._closed = True
        raise failed from error


def _event(response: PollResponse) -> Event | None:
    match response.WhichOneof("event"):
        case "started":
            return response.started
        case "settled":
            return response.settled
        case "skipped":
            return response.skipped
        case "finished":
            return response.finished
        case _:
            # A newer poller's; this one does not know it.
            return None
