"""A real `brigade dev`, on free ports, over a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples" / "sleepstudy"
BUCKET = "brigade-dev"

# Longer than anything takes on a busy machine; nothing waits for it to pass.
PATIENCE = 120.0


def binary() -> Path:
    """The command: what `BUCKET_BRIGADE` names, or cargo's debug build."""
    path = Path(os.environ.get("BUCKET_BRIGADE", ROOT / "target" / "debug" / "brigade"))
    if not path.is_file():
        pytest.exit(f"there is no {path}: run cargo build --bin brigade, or set BUCKET_BRIGADE", 2)
    return path


def environment() -> dict[str, str]:
    """Ours, without what would steer the command."""
    steering = ("BRIGADE_", "WORKER_", "OTEL_")
    others = ("PORT", "GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(steering)}
    return {key: value for key, value in kept.items() if key not in others} | {"RUST_LOG": "info"}


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """Waits until it holds, and fails when it never does."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, f"still not: {what}"
        time.sleep(0.02)


class Dev:
    """One running system. Nothing polls but who calls."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.data = directory / "data"
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [binary(), "dev", "--no-schedule", "--port", "0", "--data", self.data, *arguments],
                cwd=directory,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it did not start: {self.log()}"
        serving = json.loads(line)["serving"]
        self.poller: str = serving["poller"]
        self.worker: str = serving["worker"]
        self.emulator: str = serving["emulator"]

    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text(encoding="utf-8")

    def names(self, folder: str) -> list[str]:
        """The files in `incoming`, `processed`, `failed` or `features`."""
        return sorted(path.name for path in (self.data / folder).iterdir() if path.is_file())

    def drop(self, name: str, content: str = "x") -> None:
        """Puts a file into the inbox, whole."""
        whole = self.data.parent / "whole"
        whole.write_text(content, encoding="utf-8")
        whole.replace(self.data / "incoming" / name)

    def hold(self, name: str) -> None:
        """Puts a temporary hold on a file of the inbox, by the storage's JSON API."""
        path = quote(f"incoming/{name}", safe="")
        request = urllib.request.Request(
            f"{self.emulator}/storage/v1/b/{BUCKET}/o/{path}",
            data=b'{"temporaryHold": true}',
            headers={"content-type": "application/json"},
            method="PATCH",
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            assert answer.status == 200

    def be_its_developer(self, patch: pytest.MonkeyPatch) -> None:
        """The emulator's metadata server is the environment's."""
        patch.setenv("GCE_METADATA_HOST", self.emulator.removeprefix("http://"))
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        # Nothing listens there, and what goes to this machine goes through no proxy.
        patch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        patch.setenv("http_proxy", "http://127.0.0.1:1")

    def __enter__(self) -> Dev:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=PATIENCE)
        finally:
            self._process.kill()
