"""ID tokens by google-auth, and the gRPC plugin that attaches them."""

from __future__ import annotations

import threading
import time
from typing import Final

import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests
import grpc
from google.oauth2 import id_token

from .errors import NoCredentials

# Cloud Run checks this one when both are there and takes its signature out; `authorization` reaches the service whole.
SERVERLESS: Final = "x-serverless-authorization"
AUTHORIZATION: Final = "authorization"

# From one forced renewal to the next: a service that refuses every token must not cost a fetch a call.
_PAUSE: Final = 30.0

Metadata = tuple[tuple[str, str], ...]


class Identity:
    """The ID tokens of one audience: fetched at the first call, once however many wait, and kept until they end."""

    def __init__(self, audience: str, credentials: google.auth.credentials.Credentials | None = None) -> None:
        self._audience = audience
        self._credentials = credentials
        self._request = google.auth.transport.requests.Request()
        self._lock = threading.Lock()
        self._renewed = float("-inf")

    def headers(self) -> Metadata:
        """The token in both headers; nothing with google-auth's AnonymousCredentials.

        Raises:
            NoCredentials: this environment has no ID token for the audience.
        """
        with self._lock:
            try:
                bearer = self._bearer()
            except (google.auth.exceptions.GoogleAuthError, ValueError, OSError) as error:
                raise NoCredentials(self._audience, _words(error)) from error
        if bearer is None:
            return ()
        return ((AUTHORIZATION, bearer), (SERVERLESS, bearer))

    def renew(self) -> bool:
        """Gives up the token that the service refused; whether the next call carries another one."""
        with self._lock:
            credentials = self._credentials
            if credentials is None or time.monotonic() - self._renewed < _PAUSE:
                return False
            self._renewed = time.monotonic()
            refused = credentials.token
            try:
                credentials.refresh(self._request)  # type: ignore[no-untyped-call]
            except google.auth.exceptions.GoogleAuthError:
                # The refused one is still there, and so is the refusal to tell of.
                return False
            return bool(credentials.token != refused)

    def _bearer(self) -> str | None:
        if self._credentials is None:
            fetch = id_token.fetch_id_token_credentials
            self._credentials = fetch(self._audience, request=self._request)  # type: ignore[no-untyped-call]
        headers: dict[str, str] = {}
        try:
            self._credentials.before_request(self._request, "POST", self._audience, headers)
        except google.auth.exceptions.GoogleAuthError:
            # google-auth renews minutes before the end: until then a failed renewal is no reason to fail.
            if self._credentials.token_state is not google.auth.credentials.TokenState.STALE:
                raise
            self._credentials.apply(headers)
        return headers.get(AUTHORIZATION)


class AuthPlugin(grpc.AuthMetadataPlugin):
    """Attaches the token to every call of a channel."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Called by gRPC for each call, on a thread of its own."""
        try:
            headers = self._identity.headers()
        except NoCredentials as error:
            callback((), error)
        else:
            callback(headers, None)


def _words(error: BaseException) -> str:
    # google-auth puts the cause, and whether to try again, behind its own words.
    return str(error.args[0]) if error.args else type(error).__name__
