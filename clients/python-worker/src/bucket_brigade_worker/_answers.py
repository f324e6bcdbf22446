"""What a processor answers about a file: it returns `None`, a summary or `Accept`, or raises one of the others."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional, Union

DAY = 24 * 60 * 60.0
SOON = 10.0
# More than the worker shows of a text, and so few that every answer fits into its line.
MAX_TEXT = 2_000
# A line of the protocol and a file of an answer are not longer.
MAX_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Accept:
    """The file goes to `processed/`. The labels are figures for the poller's log line of the file."""

    summary: str = ""
    labels: Mapping[str, object] = field(default_factory=dict)


class Refuse(Exception):
    """The file goes to `failed/`. Failures are grouped by their kind, such as `no-day`."""

    def __init__(self, reason: str, *, kind: Optional[str] = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class TryLater(Exception):
    """The file stays, and is tried again after these seconds, a day at most. Attempts are counted."""

    def __init__(self, seconds: float = SOON, reason: str = "") -> None:
        # A pool of processes makes it again from these.
        super().__init__(seconds, reason)
        self.seconds = SOON if math.isnan(seconds) else min(max(float(seconds), 0.0), DAY)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason or f"try again in {self.seconds:g} s"


class Misconfigured(Exception):
    """The file stays, and the poll stops: every file would meet the same, such as a model that does not exist."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Returned = Union[None, str, Accept]
Body = dict[str, Any]


def accepted(returned: object) -> Accept:
    """What a processor returned."""
    if isinstance(returned, Accept):
        return returned
    if returned is None or isinstance(returned, str):
        return Accept(returned or "")
    raise TypeError(f"the processor returned {type(returned).__name__}; expected None, str or Accept")


def body(answer: Union[Accept, Refuse, TryLater, Misconfigured]) -> Body:
    """The answer as docs/PROTOCOL.md has it, without an id."""
    if isinstance(answer, Accept):
        if not isinstance(answer.labels, Mapping):
            raise TypeError(f'labels is {type(answer.labels).__name__}; expected a dict, such as {{"rows": 12}}')
        labels = {text(name): label(value) for name, value in answer.labels.items()}
        return {"accept": {"summary": text(answer.summary), "labels": labels}}
    # A subclass may have an `__init__` of its own, which sets none of them.
    reason = text(getattr(answer, "reason", answer))
    if isinstance(answer, Refuse):
        kind = getattr(answer, "kind", None)
        kind = text(kind.value if isinstance(kind, Enum) else kind)
        return {"refuse": {"reason": reason, **({"kind": kind} if kind else {})}}
    if isinstance(answer, TryLater):
        return {"later": {"seconds": getattr(answer, "seconds", SOON), "reason": reason}}
    return {"misconfigured": {"reason": reason}}


def encode(message: Body) -> bytes:
    """The message on one line. Labels that do not fit are left out."""
    line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(line) >= MAX_ANSWER:
        message = {**message, "accept": {**message["accept"], "labels": {"labels": "too long, left out"}}}
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    return line + b"\n"


def label(value: object) -> str:
    """A label's value as JSON has it, where it is a number or a truth. numpy's scalars count as what they hold."""
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "ndim", None) == 0:
        value = item()
    return text(json.dumps(value) if value is None or isinstance(value, (bool, int, float)) else value)


def as_string(given: object) -> str:
    """What `str` makes of it. `None` is nothing, and a value whose `__str__` raises is named by its type."""
    try:
        return "" if given is None else str(given)
    except Exception as error:
        return f"a {type(given).__name__}, whose text raises {type(error).__name__}"


def text(given: object) -> str:
    """Any value as a message can hold it: not too long, and without the lone surrogates of a name that is not UTF-8."""
    return as_string(given)[:MAX_TEXT].encode("utf-8", "replace").decode()
