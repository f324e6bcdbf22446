"""When a call is made again, and until when."""

from __future__ import annotations

import random
import time
from typing import Final

from . import errors

# The first pause; each one after it is twice as long, up to the longest.
_FIRST: Final = 0.25
_LONGEST: Final = 10.0

# A poller refuses a poll whose deadline is in less than 6 s.
SHORTEST_POLL: Final = 7.0


class Tries:
    """The tries of one call. They have one deadline, with their pauses and the fetches of tokens."""

    def __init__(
        self,
        retry: int,
        timeout: float | None,
        *safe: type[errors.BrigadeError],
        shortest: float = 0.0,
        waits: bool = False,
    ) -> None:
        """As many more tries as `retry`, after an error of a kind that is safe to repeat; and any number while another
        poll runs, when the call waits for it. None that would have less time than `shortest`.
        """
        self._retry = self._retries = retry
        self._until = None if timeout is None else time.monotonic() + timeout
        self._safe = safe
        self._shortest = shortest
        self._waits = waits
        self._pause = _FIRST
        self._may_renew = True

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def progressed(self) -> None:
        """The call did some of its work: what is left is tried as often as all of it was."""
        self._retries, self._pause, self._may_renew = self._retry, _FIRST, True

    def renews(self, error: errors.BrigadeError) -> bool:
        """Whether another token may help: once a call. The token ended on its way, or its key was withdrawn."""
        renews = self._may_renew and isinstance(error, errors.Unauthenticated)
        self._may_renew &= not renews
        return renews

    def pause(self, error: errors.BrigadeError) -> float | None:
        """Seconds before the next try; None when the error is the call's result."""
        if isinstance(error, errors.AlreadyRunning):
            if not self._waits:
                return None
        elif not isinstance(error, self._safe) or self._retries == 0:
            return None
        else:
            self._retries -= 1
        # No two callers are in step: between half of the pause and all of it.
        pause, self._pause = self._pause * random.uniform(0.5, 1.0), min(_LONGEST, 2 * self._pause)
        if error.retry_after is not None:
            pause = max(pause, error.retry_after.total_seconds())
        left = self.remaining()
        return pause if left is None or pause + self._shortest < left else None
