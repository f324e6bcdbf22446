"""A gRPC server that looks at what it is sent, and answers as the test says."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import google.auth.credentials
import google.auth.exceptions
import grpc

from bucket_brigade_client import Object, ProcessRequest
from bucket_brigade_client.v1 import poller_pb2, poller_pb2_grpc, worker_pb2, worker_pb2_grpc

ONE = Object(bucket="data", name="in/a", generation=7)


class Tokens(google.auth.credentials.Credentials):
    """`token-1`, `token-2` and so on, each for `life`; no token when it is told to fail."""

    def __init__(self, life: datetime.timedelta = datetime.timedelta(hours=1)) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fetched = 0
        self.fails = False
        self._life = life

    def refresh(self, request: object) -> None:
        if self.fails:
            raise google.auth.exceptions.RefreshError("the identity service is away")  # type: ignore[no-untyped-call]
        self.fetched += 1
        self.token = f"token-{self.fetched}"
        self.expiry = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + self._life


class Service(worker_pb2_grpc.WorkerServiceServicer, poller_pb2_grpc.PollerServiceServicer):
    """Notes the headers and the deadline of each call, and refuses tokens."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.requests: list[ProcessRequest] = []
        self.budgets: list[float] = []
        self.failures: list[grpc.StatusCode | None] = []
        """How the next steps end: before the first answer of a call, and after the last event of a poll."""
        self.events = [poller_pb2.PollResponse(finished=poller_pb2.PollFinished(more=True))]
        self._lock = threading.Lock()

    def Process(self, request: ProcessRequest, context: grpc.ServicerContext) -> worker_pb2.ProcessResponse:
        self._admit(context)
        self.requests.append(request)
        return worker_pb2.ProcessResponse(summary="done")

    def Poll(self, request: poller_pb2.PollRequest, context: grpc.ServicerContext) -> Iterator[poller_pb2.PollResponse]:
        self._admit(context)
        # An event that this client does not know is passed over.
        yield poller_pb2.PollResponse()
        yield from self.events
        self._fail(context)

    def _admit(self, context: grpc.ServicerContext) -> None:
        headers = {key: str(value) for key, value in context.invocation_metadata() or ()}
        with self._lock:
            authorization = headers.get("authorization", "")
            self.seen.append((authorization, headers.get("x-serverless-authorization", "")))
            self.budgets.append(context.time_remaining() or 0.0)
        if authorization.removeprefix("Bearer ") in self.refused:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token's key is not one of the issuer's")
        self._fail(context)

    def _fail(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            context.abort(failure, "its own words")


def serve(service: Service) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(32))
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(service, server)
    poller_pb2_grpc.add_PollerServiceServicer_to_server(service, server)
    return server
