"""An inbox service that answers call after call as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bucket_brigade_client.v1 import inbox_pb2, inbox_pb2_grpc

Step = Any
"""A response, or the status that ends the call."""


class Inbox(inbox_pb2_grpc.InboxServiceServicer):
    """Notes the requests."""

    def __init__(self) -> None:
        self.script: list[list[Step]] = []
        self.requests: list[Any] = []

    def GetStatus(
        self, request: inbox_pb2.GetStatusRequest, context: grpc.ServicerContext
    ) -> inbox_pb2.GetStatusResponse:
        (response,) = self._answer(request, context)
        assert isinstance(response, inbox_pb2.GetStatusResponse)
        return response

    def GetObject(
        self, request: inbox_pb2.GetObjectRequest, context: grpc.ServicerContext
    ) -> inbox_pb2.GetObjectResponse:
        raise NotImplementedError

    def ListObjects(
        self, request: inbox_pb2.ListObjectsRequest, context: grpc.ServicerContext
    ) -> Iterator[inbox_pb2.ListObjectsResponse]:
        yield from self._answer(request, context)

    def ReplayObjects(
        self, request: inbox_pb2.ReplayObjectsRequest, context: grpc.ServicerContext
    ) -> Iterator[inbox_pb2.ReplayObjectsResponse]:
        yield from self._answer(request, context)

    def WatchEvents(
        self, request: inbox_pb2.WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[inbox_pb2.WatchEventsResponse]:
        yield from self._answer(request, context)

    def _answer(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: ANN401
        self.requests.append(request)
        for step in self.script.pop(0):
            if isinstance(step, grpc.StatusCode):
                context.abort(step, "its own words")
            yield step


def serve(inbox: Inbox) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(8))
    inbox_pb2_grpc.add_InboxServiceServicer_to_server(inbox, server)
    return server
