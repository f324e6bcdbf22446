"""What the clients have in common: whom they call, as whom, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import _target, errors
from ._identity import Identity
from ._model import Object
from ._retry import SHORTEST_POLL, Tries
from .v1 import object_pb2
from .v1.worker_pb2 import ProcessRequest

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

HOUR: Final = 3600.0
TEN_MINUTES: Final = 600.0


class Service:
    """A service, and who calls it."""

    def __init__(
        self,
        url: str,
        *,
        audience: str | None = None,
        credentials: Credentials | None = None,
        retry: int = 0,
    ) -> None:
        """As `connect`."""
        if not isinstance(retry, int) or retry < 0:
            raise ValueError(f"retry is {retry!r}; expected 0, or how many more times a call is made")
        self._target = _target.parse(url)
        self._identity = Identity(audience or self._target.origin, credentials)
        self._retry = retry

    def _poll_tries(self, timeout: float | None, *, wait: bool) -> Tries:
        return Tries(self._retry, timeout, errors.Unavailable, shortest=SHORTEST_POLL, waits=wait)

    def _call_tries(self, timeout: float | None) -> Tries:
        return Tries(self._retry, timeout, errors.Unavailable, errors.ResourceExhausted)


def process_request(object: Object | object_pb2.Object, attempt: int) -> ProcessRequest:
    """The request about one generation, with its idempotency key."""
    return ProcessRequest(
        object=object.to_message() if isinstance(object, Object) else object,
        attempt=attempt,
        idempotency_key=f"{object.bucket}/{object.name}#{object.generation}",
    )
