"""The client for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import grpc

from . import _channel, errors
from ._enums import Place
from ._identity import Identity
from ._inbox import (
    FailedReading,
    ReplayReading,
    WatchReading,
    Where,
    dataframe,
    object_request,
    replay_request,
    timestamp,
)
from ._inbox_model import GetObjectResponse, GetStatusResponse, InboxObject, ReplayEvent, Watched
from ._model import Event, Object, ProcessResponse, plain
from ._poll import PollReading
from ._retry import Tries
from ._service import HOUR, TEN_MINUTES, Service, process_request
from ._status import Call, from_rpc, from_stream_async
from ._stream import Reading, T
from .v1 import object_pb2
from .v1.inbox_pb2 import GetStatusRequest
from .v1.inbox_pb2_grpc import InboxServiceStub
from .v1.poller_pb2 import PollRequest
from .v1.worker_pb2_grpc import WorkerServiceStub

if TYPE_CHECKING:
    import pandas
    from google.auth.credentials import Credentials
    from typing_extensions import Self, Unpack


# Held for the life of the process: the end of the last channel would shut the library down and wait for its threads.
# When the garbage collector ends that channel, its event loop being gone, they wait for the interpreter: a deadlock.
grpc.aio.init_grpc_aio()


class AsyncClient(Service):
    """As `Client`, with `await` and `async for`.

    It may be made anywhere: it has a connection in each event loop that calls, and they share the token.
    """

    def __init__(
        self,
        url: str,
        *,
        audience: str | None = None,
        credentials: Credentials | None = None,
        retry: int = 0,
    ) -> None:
        """As `Client`."""
        super().__init__(url, audience=audience, credentials=credentials, retry=retry)
        self._channels: WeakKeyDictionary[asyncio.AbstractEventLoop, grpc.aio.Channel] = WeakKeyDictionary()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The running loop's gRPC channel with the token attached, for generated stubs."""
        loop = asyncio.get_running_loop()
        channel = self._channels.get(loop)
        if channel is None:
            channel = self._channels[loop] = _channel.channel_async(self._target, self._identity)
        return channel

    def poll(
        self,
        *,
        prefix: str = "",
        max_objects: int = 0,
        dry_run: bool = False,
        explain: bool = False,
        ignore_brake: bool = False,
        relist: bool = False,
        wait: bool = False,
        timeout: float | None = HOUR,
    ) -> AsyncPoll:
        """As `Client.poll`. Whatever fails is raised by the iteration."""
        request = PollRequest(
            prefix=prefix,
            max_objects=max_objects,
            dry_run=dry_run,
            explain=explain,
            ignore_brake=ignore_brake,
            relist=relist,
        )
        return AsyncPoll(self, PollReading(request), self._identity, self._poll_tries(timeout, wait=wait))

    async def process(
        self, object: Object | object_pb2.Object, *, attempt: int = 1, timeout: float | None = TEN_MINUTES
    ) -> ProcessResponse:
        """As `Client.process`."""
        request, tries = process_request(object, attempt), self._call_tries(timeout)
        done: ProcessResponse = await self._call(WorkerServiceStub(self.channel).Process, request, Call.PROCESS, tries)
        return done

    async def status(
        self, *, since: datetime | timedelta | None = None, limit: int = 0, timeout: float | None = TEN_MINUTES
    ) -> GetStatusResponse:
        """As `Client.status`."""
        request, tries = GetStatusRequest(since=timestamp(since), limit=limit), self._call_tries(timeout)
        done: GetStatusResponse = await self._call(InboxServiceStub(self.channel).GetStatus, request, Call.INBOX, tries)
        return done

    async def get_object(
        self, name: str | InboxObject, *, place: Place = Place.UNSPECIFIED, timeout: float | None = TEN_MINUTES
    ) -> GetObjectResponse:
        """As `Client.get_object`."""
        request, tries = object_request(name, place), self._call_tries(timeout)
        done: GetObjectResponse = await self._call(InboxServiceStub(self.channel).GetObject, request, Call.INBOX, tries)
        return done

    def failed(self, *, limit: int = 0, timeout: float | None = HOUR, **where: Unpack[Where]) -> AsyncFailed:
        """As `Client.failed`."""
        return AsyncFailed(self, FailedReading(where, limit), self._identity, self._call_tries(timeout))

    def replay(
        self,
        *names: str | InboxObject,
        all: bool = False,
        dry_run: bool = False,
        limit: int = 0,
        timeout: float | None = HOUR,
        **where: Unpack[Where],
    ) -> AsyncReplay:
        """As `Client.replay`."""
        request = replay_request(names, where, all=all, dry_run=dry_run, limit=limit)
        return AsyncReplay(self, ReplayReading(request), self._identity, self._call_tries(timeout))

    def watch(self, *, timeout: float | None = None) -> AsyncWatch:
        """As `Client.watch`."""
        return AsyncWatch(self, WatchReading(), self._identity, self._call_tries(timeout))

    async def close(self) -> None:
        """Ends the running loop's connection, and the calls on it."""
        channel = self._channels.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
        await self.close()

    async def _call(self, method: Any, request: Any, call: Call, tries: Tries) -> Any:  # noqa: ANN401
        while True:
            try:
                await self._identity.headers_async(tries.remaining())
                try:
                    return plain(await method(request, timeout=tries.remaining()))
                except grpc.RpcError as error:
                    raise from_rpc(error, call) from error
            except errors.BrigadeError as error:
                if tries.renews(error) and await self._identity.renew_async(tries.remaining()):
                    continue
                pause = tries.pause(error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)


class AsyncStream(AsyncIterator[T]):
    """As `Stream`, for `async for` and `async with`. Cancelling the task that iterates cancels the call, too."""

    def __init__(self, client: AsyncClient, reading: Reading[T], identity: Identity, tries: Tries) -> None:
        self._client = client
        self._reading = reading
        self._identity = identity
        self._tries = tries
        self._closed = False
        self._begun = False
        self._ready: deque[T] = deque()
        self._call: Any = None

    async def __anext__(self) -> T:
        """As `Stream.__next__`."""
        while not self._closed:
            if self._ready:
                return self._ready.popleft()
            if self._reading.again:
                self._call = None
            call = self._call or await self._start()
            try:
                response = await call.read()
            except asyncio.CancelledError:
                if self._closed:
                    break
                raise
            except grpc.RpcError as error:
                if not self._closed:
                    await self._failed(error)
                continue
            if response is grpc.aio.EOF:
                break
            self._begun = True
            try:
                self._ready.extend(self._reading.take(response))
            except errors.AlreadyRunning as error:
                await self._pause(error)
        raise StopAsyncIteration

    def close(self) -> None:
        """Cancels the call, if it has not ended. A waiting caller gets nothing more."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    async def __aenter__(self) -> Self:
        """The stream itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    async def _start(self) -> Any:  # noqa: ANN401
        while True:
            try:
                await self._identity.headers_async(self._tries.remaining())
                break
            except errors.BrigadeError as error:
                await self._pause(error)
        self._begun = self._reading.again = False
        call = self._reading.method(self._client.channel)
        self._call = call(self._reading.request, timeout=self._tries.remaining())
        if self._closed:
            self._call.cancel()
        return self._call

    async def _failed(self, error: grpc.RpcError) -> None:
        """The call starts again, with another token or after a pause, if that is safe; else it is over."""
        if self._reading.finished:
            self._closed = True
            return
        if self._begun and not self._reading.goes_on:
            self._closed = True
            raise from_rpc(error, self._reading.call) from error
        if self._begun:
            self._tries.progressed()
        failed = await from_stream_async(error, self._reading.call, self._client.channel)
        failed.__cause__ = error
        if self._tries.renews(failed) and await self._identity.renew_async(self._tries.remaining()):
            self._call = None
        else:
            await self._pause(failed)

    async def _pause(self, error: errors.BrigadeError) -> None:
        """Then the call starts again; or the error is its result."""
        pause = self._tries.pause(error)
        if pause is None:
            self._closed = True
            raise error
        self._call = None
        await asyncio.sleep(pause)


class AsyncPoll(AsyncStream[Event]):
    """As `Poll`."""


class AsyncFailed(AsyncStream[InboxObject]):
    """As `Failed`."""

    async def to_dataframe(self) -> pandas.DataFrame:
        """As `Failed.to_dataframe`."""
        return dataframe([one async for one in self])


class AsyncReplay(AsyncStream[ReplayEvent]):
    """As `Replay`."""


class AsyncWatch(AsyncStream[Watched]):
    """As `Watch`."""
