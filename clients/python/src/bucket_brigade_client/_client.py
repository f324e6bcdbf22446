"""The client of a poller or of a worker."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final

import grpc

from . import _channel, _target, errors
from ._identity import Identity
from ._poll import Poll
from ._status import Call, from_rpc
from .v1.object_pb2 import Object
from .v1.poller_pb2 import PollRequest
from .v1.worker_pb2 import ProcessRequest, ProcessResponse
from .v1.worker_pb2_grpc import WorkerServiceStub

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from typing_extensions import Self

_HOUR: Final = 3600.0
_TEN_MINUTES: Final = 600.0


def connect(url: str, *, audience: str | None = None, credentials: Credentials | None = None) -> Client:
    """A client of the service at `url`. It connects, and fetches its ID token, at its first call.

    Args:
        url: `https://HOST`, or `http://` with a loopback address.
        audience: whom the ID token is for; the URL's origin, as Cloud Run expects it, unless another is given.
        credentials: credentials of google-auth whose token is an ID token for this audience, such as
            `google.auth.impersonated_credentials.IDTokenCredentials`; `AnonymousCredentials` sends none. Without
            them, those of the environment by `google.oauth2.id_token.fetch_id_token_credentials`: the key file that
            GOOGLE_APPLICATION_CREDENTIALS names, or the metadata server.

    Raises:
        InvalidUrl: it is not the URL of a service, or a token could be read on its way there.
    """
    target = _target.parse(url)
    return Client(target, Identity(audience or target.origin, credentials))


class Client:
    """Calls one service. It may be used from several threads; they share the connection and the token."""

    def __init__(self, target: _target.Target, identity: Identity) -> None:
        self._identity = identity
        self.channel: Final = _channel.channel(target, identity)
        """The gRPC channel with the token attached, for generated stubs."""
        self._worker = WorkerServiceStub(self.channel)

    def poll(
        self,
        *,
        prefix: str = "",
        max_objects: int = 0,
        dry_run: bool = False,
        explain: bool = False,
        timeout: float | None = _HOUR,
    ) -> Poll:
        """Polls once. Iterate over the events as they happen; `close()`, or the end of a `with`, cancels the poll.

        Args:
            prefix: only objects whose name, below the inbox, begins with this.
            max_objects: at most this many are handed to the worker; 0 is no limit.
            dry_run: say what would be dispatched; ask no worker and move nothing.
            explain: tell of each object that a filter left out, too.
            timeout: seconds, an hour unless given: the longest that Cloud Run lets a call take. The poller ends its
                poll in time, and says so in `PollFinished`; the last 5 s are kept for moving what was answered.

        Raises:
            NoCredentials: there is no ID token. What the poller answers is raised by the iteration.
        """
        request = PollRequest(prefix=prefix, max_objects=max_objects, dry_run=dry_run, explain=explain)
        return Poll(self.channel, request, timeout, self._identity)

    def process(self, object: Object, *, attempt: int = 1, timeout: float | None = _TEN_MINUTES) -> ProcessResponse:
        """Asks a worker to process one generation of an object, and returns what it did.

        It may be called again for the same generation: the idempotency key is `bucket/name#generation`.

        Args:
            object: at least `bucket`, `name` and `generation`.
            attempt: 1 for the first time that a worker is asked about this generation.
            timeout: seconds, ten minutes unless given; the worker is told.

        Raises:
            BrigadeError: one of `bucket_brigade_client.errors`.
        """
        request = ProcessRequest(
            object=object,
            attempt=attempt,
            idempotency_key=f"{object.bucket}/{object.name}#{object.generation}",
        )
        try:
            return self._process(request, timeout)
        except errors.Unauthenticated:
            # It may have ended on its way, or its key may have been withdrawn.
            if not self._identity.renew():
                raise
        return self._process(request, timeout)

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

    def _process(self, request: ProcessRequest, timeout: float | None) -> ProcessResponse:
        # Here an identity that fails says why in its own words; on gRPC's way it would become a status.
        self._identity.headers()
        try:
            return self._worker.Process(request, timeout=timeout)
        except grpc.RpcError as error:
            raise from_rpc(error, Call.PROCESS) from error
