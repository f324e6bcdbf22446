"""The client of a poller or of a worker."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import grpc

from . import _channel, errors
from ._enums import Place
from ._inbox import (
    Failed,
    FailedReading,
    Replay,
    ReplayReading,
    Watch,
    WatchReading,
    Where,
    object_request,
    replay_request,
    timestamp,
)
from ._inbox_model import GetObjectResponse, GetStatusResponse, InboxObject
from ._model import Object, ProcessResponse, plain
from ._poll import Poll, PollReading
from ._retry import Tries
from ._service import HOUR, TEN_MINUTES, Service, process_request
from ._status import Call, from_rpc
from .v1 import object_pb2
from .v1.inbox_pb2 import GetStatusRequest
from .v1.inbox_pb2_grpc import InboxServiceStub
from .v1.poller_pb2 import PollRequest
from .v1.worker_pb2_grpc import WorkerServiceStub

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from typing_extensions import Self, Unpack


class Client(Service):
    """Calls one service. It may be used from several threads; they share the connection and the token."""

    def __init__(
        self,
        url: str,
        *,
        audience: str | None = None,
        credentials: Credentials | None = None,
        retry: int = 0,
    ) -> None:
        """As `connect`."""
        super().__init__(url, audience=audience, credentials=credentials, retry=retry)
        self.channel: Final = _channel.channel(self._target, self._identity)
        """The gRPC channel with the token attached, for generated stubs."""
        self._worker = WorkerServiceStub(self.channel)
        self._inbox = InboxServiceStub(self.channel)

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
    ) -> Poll:
        """Polls once. Iterate over the events as they happen; `close()`, or the end of a `with`, cancels the poll.

        Args:
            prefix: only objects whose name, below the inbox, begins with this.
            max_objects: at most this many are handed to the worker; 0 is no limit.
            dry_run: say what would be dispatched; ask no worker and move nothing.
            explain: report each object that a filter left out, too.
            ignore_brake: lift the inbox's brake, and ask the worker again.
            relist: list again while objects are in flight, so that new ones are found meanwhile.
            wait: while another poll runs on the inbox, try again until it has ended, in place of `AlreadyRunning`. Each
                try begins with a `PollStarted`.
            timeout: seconds, an hour unless given: the longest that Cloud Run lets a call take. It bounds the fetch of
                the token, the tries and their pauses, too. The poller ends its poll in time, and says so in
                `PollFinished`; the last 5 s are kept for moving what was answered.

        Raises:
            NoCredentials: there is no ID token. What the poller answers is raised by the iteration.
        """
        request = PollRequest(
            prefix=prefix,
            max_objects=max_objects,
            dry_run=dry_run,
            explain=explain,
            ignore_brake=ignore_brake,
            relist=relist,
        )
        return Poll(self.channel, PollReading(request), self._identity, self._poll_tries(timeout, wait=wait))

    def process(
        self, object: Object | object_pb2.Object, *, attempt: int = 1, timeout: float | None = TEN_MINUTES
    ) -> ProcessResponse:
        """Asks a worker to process one generation of an object, and returns what it did.

        It may be called again for the same generation: the idempotency key is `bucket/name#generation`.

        Args:
            object: at least `bucket`, `name` and `generation`.
            attempt: 1 for the first time that a worker is asked about this generation.
            timeout: seconds, ten minutes unless given; the worker is told. It bounds the fetch of the token, the tries
                and their pauses, too.

        Raises:
            BrigadeError: one of `bucket_brigade_client.errors`.
        """
        request, tries = process_request(object, attempt), self._call_tries(timeout)
        done: ProcessResponse = self._call(self._worker.Process, request, Call.PROCESS, tries)
        return done

    def status(
        self, *, since: datetime | timedelta | None = None, limit: int = 0, timeout: float | None = TEN_MINUTES
    ) -> GetStatusResponse:
        """How much waits, is tried again, is in flight and was settled, and what stops the poller, if anything.

        Args:
            since: counts processed and failed objects since this time, or for this long; 24 hours unless given. A
                datetime without a zone is of this machine's.
            limit: counts of each place end after so many objects were looked at; 10,000 unless given.
            timeout: seconds, ten minutes unless given.

        Raises:
            PermissionDenied: BRIGADE_READERS of the poller does not list the account.
        """
        request, tries = GetStatusRequest(since=timestamp(since), limit=limit), self._call_tries(timeout)
        done: GetStatusResponse = self._call(self._inbox.GetStatus, request, Call.INBOX, tries)
        return done

    def get_object(
        self, name: str | InboxObject, *, place: Place = Place.UNSPECIFIED, timeout: float | None = TEN_MINUTES
    ) -> GetObjectResponse:
        """All that is known of one object, its outputs too.

        Args:
            name: below its place, or whole, or as a `gs://` URI; or an object of `failed()`.
            place: where it is; the first that has it, of failed, inbox and processed, unless given.
            timeout: seconds, ten minutes unless given.

        Raises:
            Refused: with `code` NOT_FOUND; no place has it.
            PermissionDenied: BRIGADE_READERS of the poller does not list the account.
        """
        request = object_request(name, place)
        done: GetObjectResponse = self._call(self._inbox.GetObject, request, Call.INBOX, self._call_tries(timeout))
        return done

    def failed(self, *, limit: int = 0, timeout: float | None = HOUR, **where: Unpack[Where]) -> Failed:
        """The failed objects, in the order of their names; `to_dataframe()` has them all at once.

        Args:
            limit: at most this many; 0 is no limit.
            timeout: seconds, an hour unless given.
            **where: `prefix`, `match`, `since`, `until`, `kind`, `status_code`, `reason_group`, as in `Where`.
        """
        return Failed(self.channel, FailedReading(where, limit), self._identity, self._call_tries(timeout))

    def replay(
        self,
        *names: str | InboxObject,
        all: bool = False,
        dry_run: bool = False,
        limit: int = 0,
        timeout: float | None = HOUR,
        **where: Unpack[Where],
    ) -> Replay:
        """Moves failed objects back into the inbox, for the next poll. Iterate over the events: it goes on while they
        are read, and `close()`, or the end of a `with`, ends it. To do it again is safe.

        Give names, a part of the filter of `failed()`, or `all=True`; it takes exactly one of the three.

        Args:
            *names: of failed objects, below the failed location or as `gs://` URIs; or objects of `failed()`.
            all: every failed object.
            dry_run: say what would be moved; move nothing.
            limit: moves at most this many; 0 is no limit.
            timeout: seconds, an hour unless given.
            **where: as for `failed()`.

        Raises:
            PermissionDenied: by the iteration; BRIGADE_OPERATORS of the poller does not list the account.
        """
        request = replay_request(names, where, all=all, dry_run=dry_run, limit=limit)
        return Replay(self.channel, ReplayReading(request), self._identity, self._call_tries(timeout))

    def watch(self, *, timeout: float | None = None) -> Watch:
        """What the poller's instance does, as it happens, until it is closed; first what is in flight.

        With `retry`, it watches another instance when this one ends.
        """
        return Watch(self.channel, WatchReading(), self._identity, self._call_tries(timeout))

    def close(self) -> None:
        """Ends the connection, and the calls on it."""
        self.channel.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    def _call(self, method: Any, request: Any, call: Call, tries: Tries) -> Any:  # noqa: ANN401
        while True:
            try:
                # Here an identity that fails says why in its own words; within a call it would become a status.
                self._identity.headers(tries.remaining())
                try:
                    return plain(method(request, timeout=tries.remaining()))
                except grpc.RpcError as error:
                    raise from_rpc(error, call) from error
            except errors.BrigadeError as error:
                if tries.renews(error) and self._identity.renew(tries.remaining()):
                    continue
                pause = tries.pause(error)
                if pause is None:
                    raise
            time.sleep(pause)


def connect(url: str, *, audience: str | None = None, credentials: Credentials | None = None, retry: int = 0) -> Client:
    """A client of the service at `url`. It connects, and fetches its ID token, at its first call.

    Args:
        url: `https://HOST`, or `http://` with a loopback address.
        audience: whom the ID token is for; the URL's origin, as Cloud Run expects it, unless another is given.
        credentials: credentials of google-auth whose token is an ID token for this audience;
            `AnonymousCredentials` sends none. Without them, those of the environment: the account that
            BRIGADE_IMPERSONATE names, by your own login; the key file that GOOGLE_APPLICATION_CREDENTIALS names;
            or the metadata server.
        retry: how many more times a call is made when that is safe, with growing pauses, within its `timeout`:
            `poll()` after `Unavailable` before its first event; the others after `Unavailable` and
            `ResourceExhausted`, and what streams goes on where it broke off.

    Raises:
        InvalidUrl: it is not the URL of a service, or a token could be read on its way there.
    """
    return Client(url, audience=audience, credentials=credentials, retry=retry)
