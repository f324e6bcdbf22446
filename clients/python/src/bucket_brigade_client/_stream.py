"""The responses of one streaming call, as what a program reads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from . import errors
from ._identity import Identity
from ._retry import Tries
from ._status import Call, from_rpc, from_stream

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from typing_extensions import Self

T = TypeVar("T")


class Reading(ABC, Generic[T]):
    """What is asked, and what the responses mean."""

    call: Call
    request: Message
    """What is left to ask for."""
    goes_on = False
    """Whether a stream that breaks off goes on with `request`."""
    again = False
    """Whether the service ended a stream before its work was done: then `request` is asked for the rest."""
    finished = False
    """Whether nothing is left."""

    @abstractmethod
    def method(self, channel: Any) -> Any:  # noqa: ANN401
        """The RPC on this channel, of either kind."""

    @abstractmethod
    def take(self, response: Any) -> Iterable[T]:  # noqa: ANN401
        """What the response means. AlreadyRunning: it is to be asked again after a pause."""


class Stream(Iterator[T]):
    """What one call streams. Closing it cancels the call; so does leaving its `with`, and dropping it."""

    def __init__(self, channel: grpc.Channel, reading: Reading[T], identity: Identity, tries: Tries) -> None:
        self._channel = channel
        self._reading = reading
        self._identity = identity
        self._tries = tries
        self._closed = threading.Event()
        self._begun = False
        self._ready: deque[T] = deque()
        self._start()

    def __next__(self) -> T:
        """Waits for the next item.

        Raises:
            BrigadeError: one of `bucket_brigade_client.errors`: the call could not go on.
        """
        while not self._closed.is_set():
            if self._ready:
                return self._ready.popleft()
            if self._reading.again:
                self._start()
            try:
                response = next(self._call)
            except StopIteration:
                break
            except grpc.RpcError as error:
                if not self._closed.is_set():
                    self._failed(error)
                continue
            self._begun = True
            try:
                self._ready.extend(self._reading.take(response))
            except errors.AlreadyRunning as error:
                self._pause(error)
                self._start()
        raise StopIteration

    def close(self) -> None:
        """Cancels the call, if it has not ended. A waiting caller gets nothing more."""
        self._closed.set()
        self._call.cancel()

    def __enter__(self) -> Self:
        """The stream itself."""
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

    def _start(self) -> None:
        while True:
            try:
                self._identity.headers(self._tries.remaining())
                break
            except errors.BrigadeError as error:
                self._pause(error)
        self._begun = self._reading.again = False
        call = self._reading.method(self._channel)
        self._call = call(self._reading.request, timeout=self._tries.remaining())
        if self._closed.is_set():
            self._call.cancel()

    def _failed(self, error: grpc.RpcError) -> None:
        """Starts again, with another token or after a pause, if that is safe; else the call is over."""
        if self._reading.finished:
            self._closed.set()
            return
        if self._begun and not self._reading.goes_on:
            self._closed.set()
            raise from_rpc(error, self._reading.call) from error
        if self._begun:
            self._tries.progressed()
        failed = from_stream(error, self._reading.call, self._channel)
        failed.__cause__ = error
        if not (self._tries.renews(failed) and self._identity.renew(self._tries.remaining())):
            self._pause(failed)
        self._start()

    def _pause(self, error: errors.BrigadeError) -> None:
        pause = self._tries.pause(error)
        if pause is None:
            self._closed.set()
            raise error
        self._closed.wait(pause)
