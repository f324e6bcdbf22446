"""Calls the poller and the workers of Bucket Brigade, with Google-signed ID tokens.

    from bucket_brigade_client import connect

    with connect("https://poller-….run.app") as poller:
        for event in poller.poll():
            print(event)

The token comes from the environment, by google-auth, and is attached to every call. `client.channel` is a plain gRPC
channel that does the same for the generated stubs in `bucket_brigade_client.v1`. What a call raises is in
`bucket_brigade_client.errors`.
"""

from . import errors
from ._client import Client, connect
from ._poll import Event, Poll
from .errors import BrigadeError, NeedsFix, Refused, TryAgain
from .v1.object_pb2 import Object
from .v1.poller_pb2 import (
    EndReason,
    Filter,
    ObjectSettled,
    ObjectSkipped,
    PollCounts,
    PollFinished,
    PollRequest,
    PollStarted,
    Settlement,
)
from .v1.worker_pb2 import ProcessRequest, ProcessResponse

__all__ = [
    "BrigadeError",
    "Client",
    "EndReason",
    "Event",
    "Filter",
    "NeedsFix",
    "Object",
    "ObjectSettled",
    "ObjectSkipped",
    "Poll",
    "PollCounts",
    "PollFinished",
    "PollRequest",
    "PollStarted",
    "ProcessRequest",
    "ProcessResponse",
    "Refused",
    "Settlement",
    "TryAgain",
    "connect",
    "errors",
]
