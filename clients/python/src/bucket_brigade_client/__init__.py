"""Calls the poller and the workers of Bucket Brigade, with Google-signed ID tokens.

    from bucket_brigade_client import connect

    with connect("https://poller-….run.app") as poller:
        for event in poller.poll():
            print(event)

`status()`, `failed()`, `replay()` and `watch()` show what the poller has, and move failed objects back.
`AsyncClient` is the same for an event loop. The token comes from the environment, by google-auth, and is attached to
every call. `client.channel` is a plain gRPC channel that does the same for the generated stubs in
`bucket_brigade_client.v1`. What a call raises is in `bucket_brigade_client.errors`.
"""

from . import errors
from ._aio import AsyncClient, AsyncFailed, AsyncPoll, AsyncReplay, AsyncWatch
from ._client import Client, connect
from ._enums import EndReason, Filter, InboxState, Place, ReplayResult, Settlement
from ._inbox import Failed, Replay, Watch, Where
from ._inbox_model import (
    Count,
    GetStatusResponse,
    InboxObject,
    InFlightSnapshot,
    LastPoll,
    Missed,
    ObjectFilter,
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
