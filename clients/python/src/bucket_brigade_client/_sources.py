"""The source of ID tokens that the environment configures, in the order of the other clients."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urljoin

import google.auth.credentials
import google.auth.exceptions
import google.oauth2.credentials
import requests
from google.oauth2 import service_account

from ._transport import FLAVOR, Transport
from .errors import NoCredentials, Unavailable

_SCOPES: Final = ["https://www.googleapis.com/auth/cloud-platform"]
_METADATA: Final = "metadata.google.internal"
_IAM: Final = "https://iamcredentials.googleapis.com/"
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+")
_KEY_FILE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_LOGIN: Final = "run `gcloud auth application-default login`"

# Without a setting that names it, the metadata server may not exist; a named one is only slow.
_PROBE_SECONDS: Final = 3.0
# `gcloud` may take seconds to start; one that waits for a person at a terminal would wait for ever.
_GCLOUD_SECONDS: Final = 15.0
_PAUSES: Final = (0.2, 0.8, None)

AccessToken = Callable[[Transport], str]


def from_environment(audience: str) -> google.auth.credentials.Credentials:
    """The account that BRIGADE_IMPERSONATE names, by one's own login; else the key file; else the metadata server.

    Raises:
        NoCredentials: a setting is wrong.
    """
    file = os.environ.get(_KEY_FILE)
    account = os.environ.get("BRIGADE_IMPERSONATE")
    if account:
        return Impersonated(account, audience, _login(audience, file))
    if not file:
        return MetadataServer(audience)
    info = _read(audience, file)
    match info.get("type"):
        case "service_account":
            key: Any = service_account.IDTokenCredentials
            made: google.auth.credentials.Credentials = key.from_service_account_info(info, target_audience=audience)
            return made
        case "impersonated_service_account":
            url = str(info["service_account_impersonation_url"])
            named = url.rpartition("/")[2].partition(":")[0]
            source = _access(audience, file, info["source_credentials"])
            return Impersonated(named, audience, source, info.get("delegates") or ())
        case other:
            raise _unusable(audience, file, f"its type is {other!r}; an ID token needs a service_account")


class _Source(google.auth.credentials.Credentials):
    """What keeps an ID token until it ends."""

    def __init__(self, audience: str, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._audience = audience
        self._name = name

    def refresh(self, request: Transport) -> None:
        """Fetches another token."""
        token = self._fetch(request)
        try:
            middle = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
            audience, ends = claims["aud"], float(claims["exp"])
        except (IndexError, KeyError, TypeError, ValueError):
            raise self._no("returned no ID token") from None
        if audience != self._audience or ends <= time.time():
            raise self._no("returned an ID token for another audience, or one that has expired")
        self.expiry = datetime.fromtimestamp(ends, timezone.utc).replace(tzinfo=None)
        self.token = token

    def _no(self, why: str) -> NoCredentials:
        return NoCredentials(self._audience, f"{self._name} {why}", advice="")

    def _fetch(self, request: Transport) -> str:
        raise NotImplementedError

    def _ask(self, request: Transport, url: str, reasons: dict[int, str], **options: Any) -> Any:  # noqa: ANN401
        """A response with status 200. What may pass with time is tried three times."""
        for pause in _PAUSES:
            try:
                answer = request(url, **options)
            except google.auth.exceptions.TransportError:
                if pause is None:
                    raise
            else:
                if answer.status == 200:
                    return answer
                why = f"refused: HTTP {answer.status}{reasons.get(answer.status, '')}"
                if answer.status != 429 and answer.status < 500:
                    raise self._no(why)
                if pause is None:
                    raise Unavailable(f"no ID token for {self._audience}: {self._name} {why}")
            time.sleep(pause)
        raise AssertionError("the last pause is None")


class MetadataServer(_Source):
    """The account of this machine. GCE_METADATA_HOST names another server than Google's."""

    def __init__(self, audience: str) -> None:
        host = os.environ.get("GCE_METADATA_HOST")
        self._is_named = bool(host)
        self._host = (host or _METADATA).removeprefix("http://").rstrip("/")
        super().__init__(audience, f"the metadata server at {self._host}")

    def _fetch(self, request: Transport) -> str:
        # Without the full format the token has no email, which every service requires.
        query = urlencode({"audience": self._audience, "format": "full"})
        url = f"http://{self._host}/computeMetadata/v1/instance/service-accounts/default/identity?{query}"
        reasons = {400: " (the audience is invalid)", 404: " (this instance has no service account)"}
        timeout = None if self._is_named else _PROBE_SECONDS
        try:
            answer = self._ask(request, url, reasons, headers=FLAVOR, timeout=timeout)
        except google.auth.exceptions.TransportError as error:
            if self._is_named or not isinstance(error.__cause__, requests.exceptions.ConnectionError):
                raise
            unset = f"neither BRIGADE_IMPERSONATE nor {_KEY_FILE} is set"
            raise NoCredentials(self._audience, f"{unset}, and {self._name} cannot be reached") from error
        if answer.headers.get("Metadata-Flavor") != "Google":
            raise self._no("is another server: its answer has no header Metadata-Flavor")
        return str(answer.data.decode().strip())


class Impersonated(_Source):
    """A service account that the user may act as, by IAM Credentials' `generateIdToken`."""

    def __init__(self, account: str, audience: str, access: AccessToken, delegates: Sequence[str] = ()) -> None:
        if not _ACCOUNT.fullmatch(account):
            why = f"BRIGADE_IMPERSONATE is {account!r}, which is not a service account's email"
            raise NoCredentials(audience, why, advice="give NAME@PROJECT.iam.gserviceaccount.com")
        super().__init__(audience, f"the impersonation of {account}")
        endpoint = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS") or _IAM
        self._url = urljoin(endpoint, f"/v1/projects/-/serviceAccounts/{account}:generateIdToken")
        self._access = access
        self._delegates = list(delegates)

    def _fetch(self, request: Transport) -> str:
        # Without the email the service cannot identify the caller.
        body = {"audience": self._audience, "includeEmail": True, "delegates": self._delegates}
        headers = {"Authorization": f"Bearer {self._access(request)}", "Content-Type": "application/json"}
        reasons = {
            400: " (the audience is invalid)",
            401: f" (your login is not accepted; {_LOGIN})",
            403: (
                " (grant yourself roles/iam.serviceAccountOpenIdTokenCreator on it, and enable the IAM Service Account "
                "Credentials API in its project)"
            ),
            404: " (there is no such service account)",
        }
        answer = self._ask(request, self._url, reasons, method="POST", headers=headers, body=json.dumps(body).encode())
        return str(json.loads(answer.data).get("token"))


def _login(audience: str, file: str | None) -> AccessToken:
    """The user's own: of the key file, else the application-default login, else that of `gcloud`."""
    if file:
        return _access(audience, file, _read(audience, file))
    windows = os.environ.get("APPDATA") if os.name == "nt" else None
    folder = Path(windows or Path.home() / ".config") / "gcloud"
    login = Path(os.environ.get("CLOUDSDK_CONFIG") or folder) / "application_default_credentials.json"
    if login.is_file():
        return _access(audience, str(login), _read(audience, str(login), "the application-default login"))
    return lambda _: _gcloud(audience)


def _access(audience: str, file: str, info: dict[str, Any]) -> AccessToken:
    service: Any = service_account.Credentials
    user: Any = google.oauth2.credentials.Credentials
    match info.get("type"):
        case "service_account":
            credentials = service.from_service_account_info(info, scopes=_SCOPES)
        case "authorized_user":
            credentials = user.from_authorized_user_info(info)
        case other:
            raise _unusable(audience, file, f"its type is {other!r}; expected service_account or authorized_user")

    def access_token(request: Transport) -> str:
        if not credentials.valid:
            credentials.refresh(request)
        return str(credentials.token)

    return access_token


def _gcloud(audience: str) -> str:
    command = ["gcloud", "auth", "print-access-token"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_GCLOUD_SECONDS
        )
    except FileNotFoundError:
        why = "there is no application-default login, and no gcloud on the path"
    except subprocess.TimeoutExpired:
        why = f"`{' '.join(command)}` gave no access token within {_GCLOUD_SECONDS:.0f} s"
    else:
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
        why = "there is no application-default login, and gcloud has none either"
    raise NoCredentials(audience, f"BRIGADE_IMPERSONATE needs credentials of your own, and {why}", advice=_LOGIN)


def _read(audience: str, file: str, named: str = _KEY_FILE) -> dict[str, Any]:
    try:
        info = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise NoCredentials(audience, f"{named} is {file}, which cannot be read: {error.strerror}") from error
    except ValueError:
        raise _unusable(audience, file, "it is not JSON") from None
    if not isinstance(info, dict):
        raise _unusable(audience, file, "it is not a JSON object")
    return info


def _unusable(audience: str, file: str, why: str) -> NoCredentials:
    return NoCredentials(audience, f"{file} cannot be used: {why}")
