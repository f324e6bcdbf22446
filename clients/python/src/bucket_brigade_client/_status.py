"""From what gRPC raises to what this package raises."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .errors import (
    Aborted,
    BrigadeError,
    Cancelled,
    DeadlineExceeded,
    Details,
    FailedPrecondition,
    InvalidArgument,
    NeedsFix,
    PermissionDenied,
    Refused,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)

_Status = (grpc.Call, grpc.aio.AioRpcError)
"""What gRPC raises, and its asynchronous part: they have the same methods."""


class Call(Enum):
    """What was called: one code means different things from a poller and from a worker."""

    POLL = "Poll"
    PROCESS = "Process"
    INBOX = "InboxService"


_CODES: Final[dict[grpc.StatusCode, type[BrigadeError]]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
}

# gRPC makes up a status for what is not gRPC: a front end's page, a stream without an end. These are its words for it,
# and nothing else tells them from a status that the service sent.
_PAGE: Final = re.compile(r"Received http2 header with status: (\d+)")
_CUT: Final = re.compile(r"Stream removed|No status received|Received RST_STREAM")

_FRONT_END: Final = {
    "401": "a front end refused the token before the service saw it: its audience must be the service's own URL",
    "403": "a front end denied the call: grant the account roles/run.invoker on the service",
}
_WRONG_URL: Final = "what answers there speaks no gRPC: see that the URL is the service's own, and that it has HTTP/2"
_NO_RIGHT: Final = "list the account in BRIGADE_READERS of the poller, or for replay() in BRIGADE_OPERATORS"
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_SECONDS: Final = 10.0
_TRY: Final = "the service itself did not answer: try again"


def from_rpc(error: grpc.RpcError, call: Call) -> BrigadeError:
    """The exception for what gRPC raised."""
    if not isinstance(error, _Status):
        return BrigadeError(str(error))
    code = error.code() or grpc.StatusCode.UNKNOWN
    message = error.details() or ""
    if (page := _PAGE.match(message)) is not None:
        return _from_front_end(code, message, page.group(1))
    if _CUT.match(message) and code not in _CODES:
        return Unavailable(message, code=code, advice=_TRY)
    kind = _CODES.get(code, Refused)
    if call is not Call.PROCESS and code is grpc.StatusCode.FAILED_PRECONDITION:
        kind = FailedPrecondition
    advice = _NO_RIGHT if call is Call.INBOX and kind is PermissionDenied else None
    return kind(message, code=code, advice=advice, details=_details(error))


def from_stream(error: grpc.RpcError, call: Call, channel: grpc.Channel) -> BrigadeError:
    """The exception for what gRPC raised before the first response of a stream.

    gRPC now and then loses the status of a front end's page when the call is a streaming one (measured: a tenth of
    them on a busy machine), and never when it is not. So the front end is asked once more, for the service's health.
    """
    found = from_rpc(error, call)
    if _is_lost(found):
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
        try:
            check(b"", timeout=_SECONDS)
        except grpc.RpcError as other:
            return _page(other) or found
    return found


async def from_stream_async(error: grpc.RpcError, call: Call, channel: grpc.aio.Channel) -> BrigadeError:
    """As `from_stream`."""
    found = from_rpc(error, call)
    if _is_lost(found):
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
        try:
            await check(b"", timeout=_SECONDS)
        except grpc.RpcError as other:
            return _page(other) or found
    return found


def _is_lost(found: BrigadeError) -> bool:
    return found.code is grpc.StatusCode.UNKNOWN and _CUT.match(found.message) is not None


def _page(error: grpc.RpcError) -> BrigadeError | None:
    is_page = isinstance(error, _Status) and _PAGE.match(error.details() or "")
    return from_rpc(error, Call.POLL) if is_page else None


def _from_front_end(code: grpc.StatusCode, message: str, status: str) -> BrigadeError:
    if status in _FRONT_END:
        return _CODES[code](message, code=code, advice=_FRONT_END[status])
    if status == "429" or status.startswith("5"):
        return Unavailable(message, code=code, advice=_TRY)
    kind = Unimplemented if status == "404" else NeedsFix
    return kind(message, code=code, advice=_WRONG_URL)


def _details(call: grpc.Call | grpc.aio.AioRpcError) -> Details:
    retry_after, reason = None, ""
    violations: list[tuple[str, str]] = []
    for detail in _status(call).details:
        retry, info = error_details_pb2.RetryInfo(), error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
        elif detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            violations.extend((one.field, one.description) for one in bad.field_violations)
    return Details(retry_after, reason, tuple(violations))


def _status(call: grpc.Call | grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                # Foreign details: the code and the message are valid all the same.
                break
    return status_pb2.Status()
