"""Calls the poller and the workers of Bucket Brigade, with Google-signed ID tokens.

    from bucket_brigade_client import connect

    with connect("https://poller-….run.app") as poller:
        for event in poller.poll():
            print(event)

`status()`, `failed()`, `get_object()`, `replay()` and `watch()` show what the poller has, and move failed objects back.
`AsyncClient` is the same for an event loop. The token comes from the environment, by google-auth, and is attached to
every call. `client.channel` is a plain gRPC channel that does the same for the generated stubs in
`bucket_brigade_client.v1`. What a call raises is in `bucket_brigade_client.errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import errors
    from ._aio import AsyncClient, AsyncFailed, AsyncPoll, AsyncReplay, AsyncWatch
    from ._client import Client, connect
    from ._enums import EndReason, Filter, InboxState, Place, ReplayResult, Settlement
    from ._inbox import Failed, Replay, Watch, Where
    from ._inbox_model import (
        Count,
        GetObjectResponse,
        GetStatusResponse,
        InboxObject,
        InFlightSnapshot,
        LastPoll,
        Missed,
        ObjectFilter,
        Output,
        ReplayCounts,
        ReplayedObject,
        ReplayEvent,
        ReplayFinished,
        ReplayProgress,
        ReplayStarted,
        Watched,
    )
    from ._model import (
        Brake,
        BrakeReason,
        Event,
        LeaseHolder,
        Object,
        ObjectSettled,
        ObjectSkipped,
        PollCounts,
        PollFinished,
        PollStarted,
        ProcessResponse,
    )
    from ._poll import Poll
    from .errors import AlreadyRunning, BrigadeError, NeedsFix, Refused, TryAgain
    from .v1.poller_pb2 import PollRequest
    from .v1.worker_pb2 import ProcessRequest

__version__ = "0.1.0"

__all__ = [
    "AlreadyRunning",
    "AsyncClient",
    "AsyncFailed",
    "AsyncPoll",
    "AsyncReplay",
    "AsyncWatch",
    "Brake",
    "BrakeReason",
    "BrigadeError",
    "Client",
    "Count",
    "EndReason",
    "Event",
    "Failed",
    "Filter",
    "GetObjectResponse",
    "GetStatusResponse",
    "InFlightSnapshot",
    "InboxObject",
    "InboxState",
    "LastPoll",
    "LeaseHolder",
    "Missed",
    "NeedsFix",
    "Object",
    "ObjectFilter",
    "ObjectSettled",
    "ObjectSkipped",
    "Output",
    "Place",
    "Poll",
    "PollCounts",
    "PollFinished",
    "PollRequest",
    "PollStarted",
    "ProcessRequest",
    "ProcessResponse",
    "Refused",
    "Replay",
    "ReplayCounts",
    "ReplayEvent",
    "ReplayFinished",
    "ReplayProgress",
    "ReplayResult",
    "ReplayStarted",
    "ReplayedObject",
    "Settlement",
    "TryAgain",
    "Watch",
    "Watched",
    "Where",
    "__version__",
    "connect",
    "errors",
]

# A program that only shows its help need not wait for gRPC: each name is imported when it is first used.
_HOMES = {
    "._aio": "AsyncClient AsyncFailed AsyncPoll AsyncReplay AsyncWatch",
    "._client": "Client connect",
    "._enums": "EndReason Filter InboxState Place ReplayResult Settlement",
    "._inbox": "Failed Replay Watch Where",
    "._inbox_model": (
        "Count GetObjectResponse GetStatusResponse InboxObject InFlightSnapshot LastPoll Missed ObjectFilter Output "
        "ReplayCounts ReplayedObject ReplayEvent ReplayFinished ReplayProgress ReplayStarted Watched"
    ),
    "._model": (
        "Brake BrakeReason Event LeaseHolder Object ObjectSettled ObjectSkipped PollCounts PollFinished "
        "PollStarted ProcessResponse"
    ),
    "._poll": "Poll",
    ".errors": "AlreadyRunning BrigadeError NeedsFix Refused TryAgain",
    ".v1.poller_pb2": "PollRequest",
    ".v1.worker_pb2": "ProcessRequest",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in ("errors", "v1"):
            return import_module(f".{name}", __name__)
        for home, names in _HOMES.items():
            if name in names.split():
                value = globals()[name] = getattr(import_module(home, __name__), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
