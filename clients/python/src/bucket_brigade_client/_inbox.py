"""What a poller's inbox is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, TypedDict

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from ._enums import Place
from ._inbox_model import InboxObject, Missed, ReplayEvent, Watched
from ._model import event, plain
from ._status import Call
from ._stream import Reading, Stream
from .v1 import inbox_pb2
from .v1.inbox_pb2_grpc import InboxServiceStub

if TYPE_CHECKING:
    import pandas

_COLUMNS: Final[dict[str, Callable[[InboxObject], object]]] = {
    "path": lambda one: one.path,
    "kind": lambda one: one.kind,
    "code": lambda one: one.code,
    "reason": lambda one: one.reason,
    "reason_group": lambda one: one.reason_group,
    "exit": lambda one: one.exit,
    "attempts": lambda one: one.attempts,
    "settle_time": lambda one: one.settle_time,
    "size": lambda one: one.object.size,
    "generation": lambda one: one.object.generation,
    "uri": lambda one: one.uri,
    "source": lambda one: one.source,
}


class Where(TypedDict, total=False):
    """Selects failed objects. Every part that is given must match."""

    prefix: str
    """The beginning of the name below the failed location."""
    match: str
    """A glob over that name: `*` stops at `/`, `**` does not."""
    since: datetime | timedelta
    """Failed at this time or later; a timedelta is so long ago. A datetime without a zone is of this machine's."""
    until: datetime | timedelta
    """Failed before this time."""
    kind: str
    """The kind that the worker named."""
    status_code: int | str
    """The worker's gRPC status: its number, or its name such as `INVALID_ARGUMENT`."""
    reason_group: str
    """The folded reason, as `InboxObject.reason_group` has it."""


def object_filter(
    *,
    prefix: str = "",
    match: str = "",
    since: datetime | timedelta | None = None,
    until: datetime | timedelta | None = None,
    kind: str = "",
    status_code: int | str | None = None,
    reason_group: str = "",
) -> inbox_pb2.ObjectFilter:
    """The filter of failed objects."""
    if isinstance(status_code, str):
        names = {code.name: int(code.value[0]) for code in grpc.StatusCode if code.value[0]}
        if status_code not in names:
            raise ValueError(f"status_code is {status_code!r}; expected a gRPC status such as INVALID_ARGUMENT or 3")
        status_code = names[status_code]
    return inbox_pb2.ObjectFilter(
        place=inbox_pb2.PLACE_FAILED,
        prefix=prefix,
        match=match,
        since=timestamp(since),
        until=timestamp(until),
        kind=kind,
        status_code=status_code,
        reason_group=reason_group,
    )


def timestamp(when: datetime | timedelta | None) -> Timestamp | None:
    """The time; of a span, so long before now."""
    if when is None:
        return None
    if isinstance(when, timedelta):
        when = datetime.now(timezone.utc) - when
    message = Timestamp()
    message.FromDatetime(when.astimezone(timezone.utc))
    return message


def uri(name: str | InboxObject) -> str:
    """The name as it was given, or where the object is."""
    return name if isinstance(name, str) else name.uri


def object_request(name: str | InboxObject, place: Place) -> inbox_pb2.GetObjectRequest:
    """The request for one object."""
    return inbox_pb2.GetObjectRequest(name=uri(name), place=inbox_pb2.Place.Value(f"PLACE_{place.name}"))


def replay_request(
    names: Iterable[str | InboxObject], where: Where, *, all: bool, dry_run: bool, limit: int
) -> inbox_pb2.ReplayObjectsRequest:
    """The request; the poller refuses one that selects nothing, or in two ways."""
    return inbox_pb2.ReplayObjectsRequest(
        names=[uri(name) for name in names],
        filter=object_filter(**where) if where else None,
        all=all,
        dry_run=dry_run,
        limit=limit,
    )


class FailedReading(Reading[InboxObject]):
    """A listing goes on after its last response."""

    call = Call.INBOX
    goes_on = True

    def __init__(self, where: Where, limit: int) -> None:
        self.request: inbox_pb2.ListObjectsRequest = inbox_pb2.ListObjectsRequest(
            filter=object_filter(**where), limit=limit
        )

    def method(self, channel: Any) -> Any:  # noqa: ANN401
        """`ListObjects`."""
        return InboxServiceStub(channel).ListObjects

    def take(self, response: inbox_pb2.ListObjectsResponse) -> Iterable[InboxObject]:
        """Its objects."""
        request = self.request
        self.finished = not response.next_page_token
        request.page_token = response.next_page_token
        if request.limit > 0:
            request.limit = max(0, request.limit - len(response.objects))
            self.finished |= request.limit == 0
        return [plain(one) for one in response.objects]


class ReplayReading(Reading[ReplayEvent]):
    """A replay goes on after the objects that have a result, and counts those, too."""

    call = Call.INBOX
    goes_on = True

    def __init__(self, request: inbox_pb2.ReplayObjectsRequest) -> None:
        self.request: inbox_pb2.ReplayObjectsRequest = request
        self._limit = request.limit
        self._started = False
        self._scanned = self._before = 0
        self._counts = inbox_pb2.ReplayCounts()
        self._counted = inbox_pb2.ReplayCounts()

    def method(self, channel: Any) -> Any:  # noqa: ANN401
        """`ReplayObjects`, from where it is now."""
        self._before = self._scanned
        self._counted.CopyFrom(self._counts)
        return InboxServiceStub(channel).ReplayObjects

    def take(self, response: inbox_pb2.ReplayObjectsResponse) -> Iterable[ReplayEvent]:
        """Its event."""
        which = response.WhichOneof("event")
        if which == "started" and self._started:
            return []
        if which is None:
            return []
        self._started = True
        message = getattr(response, which)
        if which in ("progress", "finished"):
            self._advance(message)
        if self.again:
            return []
        made: ReplayEvent = plain(message)
        return [made]

    def _advance(self, message: inbox_pb2.ReplayProgress | inbox_pb2.ReplayFinished) -> None:
        for one in message.counts.DESCRIPTOR.fields:
            total = getattr(message.counts, one.name) + getattr(self._counted, one.name)
            setattr(message.counts, one.name, total)
        is_last = isinstance(message, inbox_pb2.ReplayFinished)
        if isinstance(message, inbox_pb2.ReplayProgress):
            message.scanned += self._before
            self._scanned = message.scanned
        left = self._limit - message.counts.replayed
        has_left = self._limit == 0 or left > 0
        if message.next_page_token and has_left:
            self._counts = message.counts
            self.request.page_token = message.next_page_token
            self.request.limit = left if self._limit else 0
            # An instance that shuts down leaves the rest to another one.
            self.again = is_last
        else:
            self.finished = is_last


class WatchReading(Reading[Watched]):
    """Another stream begins with what is in flight."""

    call = Call.INBOX
    goes_on = True

    def __init__(self) -> None:
        self.request = inbox_pb2.WatchEventsRequest()

    def method(self, channel: Any) -> Any:  # noqa: ANN401
        """`WatchEvents`."""
        return InboxServiceStub(channel).WatchEvents

    def take(self, response: inbox_pb2.WatchEventsResponse) -> Iterable[Watched]:
        """Its event; none of a heartbeat, or of what a newer poller sent."""
        match response.WhichOneof("event"):
            case None | "heartbeat":
                return []
            case "poll":
                found: Any = event(response.poll)
            case "missed":
                found = Missed(response.missed)
            case which:
                found = plain(getattr(response, which))
        time = response.time.ToDatetime(tzinfo=timezone.utc)
        return [] if found is None else [Watched(time, found)]


def dataframe(objects: list[InboxObject]) -> pandas.DataFrame:
    """A row for each object. Without pandas an ImportError that says what to install."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_dataframe() needs pandas: pip install 'bucket-brigade-client[pandas]'") from error
    columns = {name: [value(one) for one in objects] for name, value in _COLUMNS.items()}
    frame = pandas.DataFrame(columns)
    frame["settle_time"] = pandas.to_datetime(frame["settle_time"], utc=True)
    return frame


class Failed(Stream[InboxObject]):
    """Failed objects, in the order of their names."""

    def to_dataframe(self) -> pandas.DataFrame:
        """All that are left, a row for each: path, kind, code, reason, reason_group, exit, attempts, settle_time, size,
        generation, uri and source. It needs the extra `pandas`.
        """
        return dataframe(list(self))


class Replay(Stream[ReplayEvent]):
    """The events of a replay: first `ReplayStarted`, last `ReplayFinished`. Closing it ends the replay; a move that has
    begun is done.
    """


class Watch(Stream[Watched]):
    """What the instance that answers does, as it happens, until it is closed."""
