"""What the calls of an inbox return."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ._enums import InboxState, Place, ReplayResult
from ._model import Brake, Event, LeaseHolder, Object, PollFinished, PollStarted, _Plain


@dataclass(frozen=True, kw_only=True, repr=False)
class InboxObject(_Plain):
    """An object, and what the poller wrote on it."""

    object: Object = field(default_factory=Object)
    place: Place = Place.UNSPECIFIED
    path: str = ""
    """Its name below the place."""
    state: InboxState = InboxState.UNSPECIFIED
    detail: str = ""
    attempts: int = 0
    retry_time: datetime | None = None
    settle_time: datetime | None = None
    status_code: int | None = None
    """The worker's gRPC status code; None when the worker itself returned none."""
    kind: str = ""
    exit: str = ""
    reason: str = ""
    reason_group: str = ""
    """The reason with numbers and names folded: failures of one cause share it."""
    outputs: tuple[str, ...] = ()
    in_flight: timedelta | None = None
    source: str = ""
    code: str = ""

    @property
    def uri(self) -> str:
        """`gs://bucket/name`, where it is now."""
        return f"gs://{self.object.bucket}/{self.object.name}"


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectFilter(_Plain):
    """Selects objects. Every field that is set must match."""

    place: Place = Place.UNSPECIFIED
    prefix: str = ""
    match: str = ""
    since: datetime | None = None
    until: datetime | None = None
    kind: str = ""
    status_code: int | None = None
    reason_group: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Count(_Plain):
    """A number of objects. `str()` begins with `≥` when the count ended at a limit."""

    value: int = 0
    at_least: bool = False

    def __str__(self) -> str:
        """`212` or `≥10,000`."""
        return f"{'≥' if self.at_least else ''}{self.value:,}"


@dataclass(frozen=True, kw_only=True, repr=False)
class LastPoll(_Plain):
    """A poll that ended; `finished` is None when it ended with `error`."""

    started: PollStarted | None = None
    finished: PollFinished | None = None
    error: str = ""
    end_time: datetime | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class GetStatusResponse(_Plain):
    """The state of an inbox. In flight, the breaker and the last poll are those of the instance that answered."""

    inbox: str = ""
    processed_location: str = ""
    failed_location: str = ""
    count_time: datetime | None = None
    waiting: Count = field(default_factory=Count)
    oldest: InboxObject | None = None
    retrying: Count = field(default_factory=Count)
    next_retry_time: datetime | None = None
    left_out: Count = field(default_factory=Count)
    processed: Count = field(default_factory=Count)
    failed: Count = field(default_factory=Count)
    since: datetime | None = None
    in_flight: int = 0
    longest: InboxObject | None = None
    concurrency: int = 0
    holders: tuple[LeaseHolder, ...] = ()
    brake: Brake | None = None
    breaker_since: datetime | None = None
    last_poll: LastPoll | None = None
    instance_start_time: datetime | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Output(_Plain):
    """An output of a worker. `object` is None when it is not there, or could not be read, as `error` says."""

    uri: str = ""
    object: Object | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class GetObjectResponse(_Plain):
    """All that is known of an object. `log_filter` finds its log; `others` has its name in another place."""

    object: InboxObject = field(default_factory=InboxObject)
    outputs: tuple[Output, ...] = ()
    log_filter: str = ""
    others: tuple[InboxObject, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class ReplayStarted(_Plain):
    """A replay began. Objects that failed after `start_time` are left out."""

    start_time: datetime | None = None
    filter: ObjectFilter | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class ReplayedObject(_Plain):
    """An object has a result. `object` is as it was in the failed location; `reason` says why it was not moved."""

    object: InboxObject = field(default_factory=InboxObject)
    result: ReplayResult = ReplayResult.UNSPECIFIED
    destination: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ReplayCounts(_Plain):
    """Counts of results, in objects."""

    replayed: int = 0
    conflicts: int = 0
    gone: int = 0
    held: int = 0
    errors: int = 0


@dataclass(frozen=True, kw_only=True, repr=False)
class ReplayProgress(_Plain):
    """How far a replay is."""

    scanned: int = 0
    counts: ReplayCounts = field(default_factory=ReplayCounts)
    next_page_token: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ReplayFinished(_Plain):
    """A replay ended. `next_page_token` is set when its limit ended it."""

    counts: ReplayCounts = field(default_factory=ReplayCounts)
    next_page_token: str = ""


ReplayEvent = ReplayStarted | ReplayedObject | ReplayProgress | ReplayFinished
"""One event of a replay."""


@dataclass(frozen=True, kw_only=True, repr=False)
class InFlightSnapshot(_Plain):
    """What an instance has in flight: at most 1,000 objects, the longest first, and how many there are."""

    objects: tuple[InboxObject, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Missed:
    """The caller read too slowly: so many events are missing. An `InFlightSnapshot` follows."""

    count: int


@dataclass(frozen=True)
class Watched:
    """What an instance did: an event of a poll, an object that it passed to the worker, or what it has in flight."""

    time: datetime
    event: Event | InboxObject | InFlightSnapshot | Missed
