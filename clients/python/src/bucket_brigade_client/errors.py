"""What a call raises.

    BrigadeError
    ├── InvalidUrl               nothing was sent: no token may go to this URL (a ValueError too)
    ├── NeedsFix                 the same call gets the same answer until a setting or a role is fixed
    │   ├── NoCredentials        nothing was sent: this environment has no ID token
    │   ├── Unauthenticated      the token was refused
    │   ├── PermissionDenied     the token is good, and its account may not do this
    │   ├── Unimplemented        there is no such service at this URL
    │   └── FailedPrecondition   the poll was stopped, because every object would meet the same
    ├── TryAgain                 says nothing about any object: call again, after `retry_after` if it is there
    │   ├── Unavailable          the service, its worker or its storage is away
    │   ├── ResourceExhausted    it has as much to do as it takes
    │   ├── DeadlineExceeded     the time was out
    │   ├── AlreadyRunning       another poll runs on the inbox; `holder` says which
    │   ├── Aborted              something came in between, such as a newer upload
    │   └── Cancelled            the call was given up
    └── Refused                  the service's own answer about what it was asked; `code` says which
        └── InvalidArgument      the request is wrong; `violations` says where

They follow the table by which the poller decides about a file. What a front end answers in the service's place, and a
connection that breaks, is never `Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    from ._model import PollFinished


@dataclass(frozen=True)
class Details:
    """The `google.rpc` messages that travel with a status."""

    retry_after: timedelta | None = None
    reason: str = ""
    violations: tuple[tuple[str, str], ...] = ()


class BrigadeError(Exception):
    """A call that did not end well."""

    advice: str = ""
    """What to do."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        advice: str | None = None,
        details: Details | None = None,
    ) -> None:
        details = details or Details()
        self.message: Final = message
        """The service's message, or what failed before it was called."""
        self.code: Final = code
        """The gRPC status code; None when nothing was sent."""
        self.advice = type(self).advice if advice is None else advice
        self.retry_after: Final = details.retry_after
        """How long the service asks to wait before the next try."""
        self.reason: Final = details.reason
        """The reason for programs, of `google.rpc.ErrorInfo`: `WORKER_BUSY`, `OBJECT_REFUSED` and so on; or empty."""
        self.violations: Final = details.violations
        """What is wrong with the request or the object: pairs of a field and a description."""
        super().__init__(message)

    def __str__(self) -> str:
        """The code, the message, and what to do."""
        code = f"{self.code.name}: " if self.code else ""
        advice = f" ({self.advice})" if self.advice else ""
        return f"{code}{self.message or 'no message'}{advice}"


class InvalidUrl(BrigadeError, ValueError):
    """No token may go there. Nothing was sent."""

    advice = "give https://HOST, or http://127.0.0.1:PORT on this machine"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"cannot call {url!r}: {why}")


class NeedsFix(BrigadeError):
    """A setting or a role is wrong: the same call gets the same answer until it is fixed. Nothing was moved."""


class NoCredentials(NeedsFix):
    """This environment has no ID token. Nothing was sent."""

    advice = (
        "set BRIGADE_IMPERSONATE to a service account that you may act as, or GOOGLE_APPLICATION_CREDENTIALS to a "
        "service account's key file; run where there is a metadata server; or give connect() credentials of google-auth"
    )

    def __init__(self, audience: str, why: str, *, advice: str | None = None) -> None:
        super().__init__(f"no ID token for {audience}: {why}", advice=advice)


class Unauthenticated(NeedsFix):
    """The service, or the front end before it, refused the token."""

    advice = "the token must be for this very service: see that its audience is the service's own URL"


class PermissionDenied(NeedsFix):
    """The token is good, and its account may not do this; or a worker says that it may not."""

    advice = "allow the account: roles/run.invoker on the service, and BRIGADE_ALLOWED_CALLERS of the service"


class Unimplemented(NeedsFix):
    """There is no such service at this URL."""

    advice = "see that the URL is the one of a poller for poll(), and of a worker for process()"


class FailedPrecondition(NeedsFix):
    """The poll was stopped, because every object would have met the same. The message says what to fix."""


class TryAgain(BrigadeError):
    """Says nothing about any object. Calling again is safe: work is done once for a generation of an object."""


class Unavailable(TryAgain):
    """The service does not answer; or it says that its worker, or its storage, does not."""

    advice = "try again; if this goes on, see that the service runs and that the URL is its own"


class ResourceExhausted(TryAgain):
    """The service has as much to do as it takes."""

    advice = "try again later, or ask for less at once"


class DeadlineExceeded(TryAgain):
    """The time was out. The service may have done the work all the same."""

    advice = "try again with a longer timeout"


class AlreadyRunning(TryAgain):
    """Another poll runs on the inbox, or on a part of it that this one would list. This one did nothing."""

    advice = "try again when it has ended, or have poll(wait=True) do so"

    def __init__(self, finished: PollFinished) -> None:
        self.holder: Final = finished.holder
        """The poll that runs, if the poller named it."""
        since = self.holder.since if self.holder else None
        which = f"poll {self.holder.poll_id}" if self.holder else "another poll"
        super().__init__(f"{which} runs on this inbox{f' since {since:%H:%M:%S} UTC' if since else ''}")


class Aborted(TryAgain):
    """Something came in between: most often the object was uploaded again, and has another generation now."""


class Cancelled(TryAgain):
    """The call was given up, here or by the service."""


class Refused(BrigadeError):
    """The service's own answer: it looked, and cannot do what was asked. A poller moves such an object to failed/."""


class InvalidArgument(Refused):
    """The request is wrong, or the object is not what the worker takes. `violations` says where."""
