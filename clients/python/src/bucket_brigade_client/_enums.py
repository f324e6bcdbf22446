"""The enums of `brigade.v1`, under their short names and under those of the contract."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class _Open(IntEnum):
    """An enum to which a newer service may add values."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"UNKNOWN_{value}", value
        return member

    def __repr__(self) -> str:
        """As it is written in a program."""
        return f"{type(self).__name__}.{self.name}"

    def __str__(self) -> str:
        """Its short name."""
        return self.name

    def __format__(self, spec: str) -> str:
        """Its short name, and not its number."""
        return format(self.name, spec)


class Settlement(_Open):
    """The outcome of an object in a poll."""

    UNSPECIFIED = 0
    PROCESSED = 1
    FAILED = 2
    RETRY = 3
    SUPERSEDED = 4
    HELD = 5
    STOPPED = 6
    PLANNED = 7
    ENQUEUED = 8
    ALREADY_ENQUEUED = 9

    SETTLEMENT_UNSPECIFIED = UNSPECIFIED
    SETTLEMENT_PROCESSED = PROCESSED
    SETTLEMENT_FAILED = FAILED
    SETTLEMENT_RETRY = RETRY
    SETTLEMENT_SUPERSEDED = SUPERSEDED
    SETTLEMENT_HELD = HELD
    SETTLEMENT_STOPPED = STOPPED
    SETTLEMENT_PLANNED = PLANNED
    SETTLEMENT_ENQUEUED = ENQUEUED
    SETTLEMENT_ALREADY_ENQUEUED = ALREADY_ENQUEUED


class Filter(_Open):
    """The filter that left out an object."""

    UNSPECIFIED = 0
    FOLDER = 1
    CONTROL = 2
    DESTINATION = 3
    MIN_AGE = 4
    MATCH = 5
    NOT_DUE = 6
    HELD = 7
    IN_FLIGHT = 8
    UNFINISHED = 9
    EMPTY = 10
    EXCLUDE = 11
    OUTPUT = 12

    FILTER_UNSPECIFIED = UNSPECIFIED
    FILTER_FOLDER = FOLDER
    FILTER_CONTROL = CONTROL
    FILTER_DESTINATION = DESTINATION
    FILTER_MIN_AGE = MIN_AGE
    FILTER_MATCH = MATCH
    FILTER_NOT_DUE = NOT_DUE
    FILTER_HELD = HELD
    FILTER_IN_FLIGHT = IN_FLIGHT
    FILTER_UNFINISHED = UNFINISHED
    FILTER_EMPTY = EMPTY
    FILTER_EXCLUDE = EXCLUDE
    FILTER_OUTPUT = OUTPUT


class EndReason(_Open):
    """Why a poll ended."""

    UNSPECIFIED = 0
    COMPLETE = 1
    MAX_OBJECTS = 2
    DEADLINE = 3
    SHUTDOWN = 4
    ALREADY_RUNNING = 5
    LEASE_LOST = 6
    CANCELLED = 7
    BRAKE = 8

    END_REASON_UNSPECIFIED = UNSPECIFIED
    END_REASON_COMPLETE = COMPLETE
    END_REASON_MAX_OBJECTS = MAX_OBJECTS
    END_REASON_DEADLINE = DEADLINE
    END_REASON_SHUTDOWN = SHUTDOWN
    END_REASON_ALREADY_RUNNING = ALREADY_RUNNING
    END_REASON_LEASE_LOST = LEASE_LOST
    END_REASON_CANCELLED = CANCELLED
    END_REASON_BRAKE = BRAKE


class Place(_Open):
    """Where an object is."""

    UNSPECIFIED = 0
    INBOX = 1
    PROCESSED = 2
    FAILED = 3

    PLACE_UNSPECIFIED = UNSPECIFIED
    PLACE_INBOX = INBOX
    PLACE_PROCESSED = PROCESSED
    PLACE_FAILED = FAILED


class InboxState(_Open):
    """What an object in the inbox waits for."""

    UNSPECIFIED = 0
    WAITING = 1
    RETRYING = 2
    IN_FLIGHT = 3
    LEFT_OUT = 4

    INBOX_STATE_UNSPECIFIED = UNSPECIFIED
    INBOX_STATE_WAITING = WAITING
    INBOX_STATE_RETRYING = RETRYING
    INBOX_STATE_IN_FLIGHT = IN_FLIGHT
    INBOX_STATE_LEFT_OUT = LEFT_OUT


class ReplayResult(_Open):
    """The result of a replay for one object."""

    UNSPECIFIED = 0
    REPLAYED = 1
    PLANNED = 2
    CONFLICT = 3
    GONE = 4
    HELD = 5
    ERROR = 6

    REPLAY_RESULT_UNSPECIFIED = UNSPECIFIED
    REPLAY_RESULT_REPLAYED = REPLAYED
    REPLAY_RESULT_PLANNED = PLANNED
    REPLAY_RESULT_CONFLICT = CONFLICT
    REPLAY_RESULT_GONE = GONE
    REPLAY_RESULT_HELD = HELD
    REPLAY_RESULT_ERROR = ERROR
