"""ID tokens by google-auth, and the gRPC plugin that attaches them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

import grpc

from .errors import BrigadeError, DeadlineExceeded, NoCredentials, Unavailable

# google-auth and requests are imported by the first fetch: they take longer than all else here.
if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from ._transport import Transport

# Cloud Run checks this one when both are there and takes its signature out; `authorization` reaches the service whole.
SERVERLESS: Final = "x-serverless-authorization"
AUTHORIZATION: Final = "authorization"

# From one forced renewal to the next: a service that refuses every token must not cost a fetch a call.
_RENEWAL_PAUSE: Final = 30.0
# From one failed fetch to the next while the token is still valid.
_STALE_PAUSE: Final = 10.0
# The longest that a call waits for its token, and that a fetch keeps another one from starting.
_LONGEST: Final = 60.0

Metadata = tuple[tuple[str, str], ...]
T = TypeVar("T")


class Identity:
    """The ID tokens of one audience: fetched at the first call, once however many wait, and kept until they end.

    google-auth blocks and cannot be interrupted. So it has a thread of its own, and a caller waits for it as long as
    its own call may take, on a thread or in an event loop.
    """

    def __init__(self, audience: str, credentials: Credentials | None = None) -> None:
        self._audience = audience
        self._credentials = credentials
        self._transport: Transport | None = None
        self._fetch = _Shared(self._fetched)
        self._renewal = _Shared(self._renewed, _RENEWAL_PAUSE)
        self._failed = float("-inf")

    def headers(self, timeout: float | None = None) -> Metadata:
        """The token in both headers; nothing with google-auth's AnonymousCredentials.

        Raises:
            NoCredentials: this environment has no ID token for the audience.
            DeadlineExceeded: the token did not come in time.
            Unavailable: what issues the tokens does not answer.
        """
        held = self._held()
        if held is not None:
            return held
        try:
            return self._fetch.begun().result(_bounded(timeout))
        except futures.TimeoutError:
            raise self._late(timeout) from None

    async def headers_async(self, timeout: float | None = None) -> Metadata:
        """As `headers`, and the event loop goes on meanwhile."""
        held = self._held()
        if held is not None:
            return held
        try:
            return await _await(self._fetch.begun(), timeout)
        except asyncio.TimeoutError:
            raise self._late(timeout) from None

    def renew(self, timeout: float | None = None) -> bool:
        """Gives up the token that the service refused; whether the next call carries another one."""
        try:
            return self._renewal.begun().result(_bounded(timeout))
        except (BrigadeError, futures.TimeoutError):
            # The refused one is still there, and so is the refusal to report.
            return False

    async def renew_async(self, timeout: float | None = None) -> bool:
        """As `renew`, and the event loop goes on meanwhile."""
        try:
            return await _await(self._renewal.begun(), timeout)
        except (BrigadeError, asyncio.TimeoutError):
            return False

    def _held(self) -> Metadata | None:
        """The headers with a token that is valid. In its last minutes it is renewed meanwhile."""
        credentials = self._credentials
        if credentials is None or credentials.token is None:
            return None
        from google.auth.credentials import TokenState

        if credentials.token_state is TokenState.INVALID:
            return None
        if credentials.token_state is TokenState.STALE and time.monotonic() - self._failed > _STALE_PAUSE:
            self._fetch.begun()
        headers: dict[str, str] = {}
        credentials.apply(headers)  # type: ignore[no-untyped-call]
        return _both(headers)

    def _fetched(self) -> Metadata:
        try:
            credentials, transport = self._prepared()
            headers: dict[str, str] = {}
            credentials.before_request(transport, "POST", self._audience, headers)  # type: ignore[no-untyped-call]
        except Exception as error:
            self._failed = time.monotonic()
            self._raise(error)
        return _both(headers)

    def _renewed(self) -> bool:
        try:
            credentials, transport = self._prepared()
            refused = credentials.token
            credentials.refresh(transport)  # type: ignore[no-untyped-call]
        except Exception as error:
            self._raise(error)
        return bool(credentials.token != refused)

    def _prepared(self) -> tuple[Credentials, Transport]:
        from . import _sources, _transport

        self._credentials = self._credentials or _sources.from_environment(self._audience)
        self._transport = self._transport or _transport.Transport()
        return self._credentials, self._transport

    def _raise(self, error: Exception) -> NoReturn:
        """Whatever google-auth raises becomes an error of this package: it lets some of other libraries through."""
        from google.auth.exceptions import TransportError

        if isinstance(error, BrigadeError):
            raise error
        why = _words(error)
        if isinstance(error, TransportError) or getattr(error, "retryable", False):
            raise Unavailable(f"no ID token for {self._audience}: {why}", advice="try again") from error
        raise NoCredentials(self._audience, why) from error

    def _late(self, timeout: float | None) -> DeadlineExceeded:
        seconds = f"{_bounded(timeout):.3g} s"
        why = f"no ID token for {self._audience} within {seconds}: what issues the tokens does not answer"
        return DeadlineExceeded(why)


class AuthPlugin(grpc.AuthMetadataPlugin):
    """Attaches the token to every call of a channel."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Called by gRPC for each call, on a thread of its own."""
        try:
            headers = self._identity.headers()
        except BrigadeError as error:
            callback((), error)
        else:
            callback(headers, None)


class _Shared(Generic[T]):
    """Work of which one run at a time goes on, on a daemon thread: a process that ends does not wait for it."""

    def __init__(self, work: Callable[[], T], pause: float = 0.0) -> None:
        self._work = work
        self._pause = pause
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._future: futures.Future[T] | None = None

    def begun(self) -> futures.Future[T]:
        """The run that goes on, or that began less than a pause ago; else another one."""
        with self._lock:
            age = time.monotonic() - self._began
            if self._future is None or age > _LONGEST or (self._future.done() and age >= self._pause):
                self._began = time.monotonic()
                self._future = futures.Future()
                name = "bucket-brigade-token"
                threading.Thread(target=self._run, args=(self._future,), name=name, daemon=True).start()
            return self._future

    def _run(self, future: futures.Future[T]) -> None:
        try:
            future.set_result(self._work())
        except BaseException as error:
            future.set_exception(error)


async def _await(future: futures.Future[T], timeout: float | None) -> T:
    # Others may wait for the same run: a caller that gives up leaves it alone.
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), _bounded(timeout))


def _bounded(timeout: float | None) -> float:
    return _LONGEST if timeout is None else min(timeout, _LONGEST)


def _both(headers: dict[str, str]) -> Metadata:
    bearer = headers.get(AUTHORIZATION)
    return ((AUTHORIZATION, bearer), (SERVERLESS, bearer)) if bearer else ()


def _words(error: BaseException) -> str:
    # google-auth puts the cause, and whether to try again, behind its own words.
    return str(error.args[0]) if error.args else type(error).__name__
