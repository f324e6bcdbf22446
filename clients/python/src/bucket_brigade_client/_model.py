"""What a client returns: plain, frozen dataclasses, made of the messages of `brigade.v1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from . import _enums
from ._enums import EndReason, Filter, Settlement
from .v1 import object_pb2
from .v1.poller_pb2 import PollResponse

_CLASSES: dict[str, type[_Plain]] = {}


@dataclass(frozen=True, kw_only=True, repr=False)
class _Plain:
    message: Message | None = field(init=False, default=None, compare=False, repr=False)
    """The message of `bucket_brigade_client.v1` that this was made of; None when it came from no service."""

    def __init_subclass__(cls) -> None:
        _CLASSES[cls.__name__] = cls

    def __repr__(self) -> str:
        """Its fields, without those that are empty."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.repr}
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items() if not _is_empty(value))
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, kw_only=True, repr=False)
class Object(_Plain):
    """One generation of one Cloud Storage object. The uploader chooses name, type and metadata."""

    bucket: str = ""
    name: str = ""
    generation: int = 0
    size: int = 0
    content_type: str = ""
    crc32c: int | None = None
    md5_hash: bytes = b""
    create_time: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    content_encoding: str = ""
    storage_class: str = ""
    custom_time: datetime | None = None
    cache_control: str = ""

    def to_message(self) -> object_pb2.Object:
        """The message that it came from, or one with its fields, for the generated code."""
        if isinstance(self.message, object_pb2.Object):
            return self.message
        message = object_pb2.Object()
        for one in message.DESCRIPTOR.fields:
            value = getattr(self, one.name)
            if isinstance(value, datetime):
                getattr(message, one.name).FromDatetime(value)
            elif isinstance(value, Mapping):
                getattr(message, one.name).update(value)
            elif value is not None:
                setattr(message, one.name, value)
        return message


@dataclass(frozen=True, kw_only=True, repr=False)
class ProcessResponse(_Plain):
    """What a worker did with an object that it accepted."""

    summary: str = ""
    outputs: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class PollStarted(_Plain):
    """A poll began."""

    poll_id: str = ""
    inbox: str = ""
    trigger: str = ""
    start_time: datetime | None = None
    trigger_name: str = ""
    trigger_id: str = ""
    concurrency: int = 0


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectSettled(_Plain):
    """An object has an outcome for this poll."""

    object: Object = field(default_factory=Object)
    settlement: Settlement = Settlement.UNSPECIFIED
    status_code: int | None = None
    """The worker's gRPC status code; None when the worker itself returned none."""
    reason: str = ""
    duration: timedelta = timedelta(0)
    destination: str = ""
    summary: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectSkipped(_Plain):
    """A filter left out an object; only with `explain=True`."""

    object: Object = field(default_factory=Object)
    filter: Filter = Filter.UNSPECIFIED
    detail: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class PollCounts(_Plain):
    """Counts of one poll, in objects."""

    listed: int = 0
    skipped: int = 0
    found: int = 0
    processed: int = 0
    failed: int = 0
    retry: int = 0
    superseded: int = 0
    held: int = 0
    enqueued: int = 0


@dataclass(frozen=True, kw_only=True, repr=False)
class BrakeReason(_Plain):
    """One reason of refusals, and how many objects were refused for it."""

    count: int = 0
    reason: str = ""
    example: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Brake(_Plain):
    """The brake of an inbox whose worker refuses everything: no object is passed to it before `until`."""

    until: datetime | None = None
    probe: int = 0
    reasons: tuple[BrakeReason, ...] = ()


@dataclass(frozen=True, kw_only=True, repr=False)
class LeaseHolder(_Plain):
    """The poll that holds the lease of a part of the inbox."""

    poll_id: str = ""
    prefix: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class PollFinished(_Plain):
    """A poll ended."""

    counts: PollCounts = field(default_factory=PollCounts)
    more: bool = False
    """Whether another poll would find work."""
    reason: EndReason = EndReason.UNSPECIFIED
    duration: timedelta = timedelta(0)
    concurrency: int = 0
    brake: Brake | None = None
    holder: LeaseHolder | None = None
    passes: int = 0


Event = PollStarted | ObjectSettled | ObjectSkipped | PollFinished
"""One event of a poll."""


def plain(message: Message) -> Any:  # noqa: ANN401
    """The dataclass of the same name, with what the message has."""
    kind = _CLASSES[message.DESCRIPTOR.name]
    present = [one for one in message.DESCRIPTOR.fields if not one.has_presence or message.HasField(one.name)]
    made = kind(**{one.name: _value(one, getattr(message, one.name)) for one in present})
    object.__setattr__(made, "message", message)
    return made


def event(response: PollResponse) -> Event | None:
    """The event of a response; None for one of a newer poller."""
    which = response.WhichOneof("event")
    made: Event | None = plain(getattr(response, which)) if which else None
    return made


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, Sized) and len(value) == 0)


def _value(of: Any, value: Any) -> Any:  # noqa: ANN401
    if of.enum_type is not None:
        return getattr(_enums, of.enum_type.name)(value)
    match value:
        case Timestamp():
            return value.ToDatetime(tzinfo=timezone.utc)
        case Duration():
            return value.ToTimedelta()
        case Message():
            return plain(value)
        case str() | bytes():
            return value
        case Mapping():
            return dict(value)
        case Sequence():
            return tuple(plain(one) if isinstance(one, Message) else one for one in value)
    return value
