"""The two pipes of a persistent program, as docs/PROTOCOL.md has them."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Optional

from ._answers import Body, Misconfigured, encode

JOBS, ANSWERS, VERSIONS = "BRIGADE_JOBS_FD", "BRIGADE_ANSWERS_FD", "BRIGADE_PROTOCOL"
CHUNK = 64 * 1024


class PipesClosed(Exception):
    """The worker is gone, or the processor closed a descriptor that is not its own."""


class Pipes:
    """Reads jobs and writes answers. Children of this process get neither."""

    def __init__(self, jobs: int, answers: int) -> None:
        self._jobs, self.answers = jobs, answers
        self._lock = threading.Lock()
        self._process = os.getpid()
        # The job that is at work.
        self._id: Optional[str] = None
        # Its last progress.
        self.said = ""
        for descriptor in (jobs, answers):
            # A tool that a job starts would hold the pipe open after this process.
            os.set_inheritable(descriptor, False)
        os.register_at_fork(after_in_child=self._close)

    @classmethod
    def from_environment(cls) -> Optional["Pipes"]:
        """The pipes, if this program was started with `--persistent`. Its children do not get their variables."""
        given = {name: os.environ.pop(name, None) for name in (JOBS, ANSWERS, VERSIONS)}
        if given[JOBS] is None:
            return None
        descriptors = []
        for name in (JOBS, ANSWERS):
            try:
                descriptor = int(given[name] or "")
                os.fstat(descriptor)
            except (OSError, ValueError) as error:
                fix = "fix: start python directly, or with exec; npm, sudo, docker and the like close it"
                raise Misconfigured(
                    f"{name} is {given[name]!r}, which is no open descriptor: {error}; {fix}"
                ) from error
            descriptors.append(descriptor)
        pipes = cls(*descriptors)
        if "1" not in (given[VERSIONS] or "1").split(","):
            reason = f"the worker offers the protocol {given[VERSIONS]}, and this package knows 1; fix: upgrade it"
            pipes.send({"ready": False, "reason": reason})
            raise Misconfigured(reason)
        return pipes

    def lines(self) -> Iterator[bytes]:
        """Each line as soon as it is there, until the worker closes the pipe."""
        pending = bytearray()
        while True:
            end = pending.find(b"\n")
            if end >= 0:
                line = bytes(pending[:end])
                del pending[: end + 1]
                yield line
                continue
            try:
                chunk = os.read(self._jobs, CHUNK)
            except OSError as error:
                raise PipesClosed(error) from error
            if not chunk:
                return
            pending += chunk

    def begin(self, job: str) -> None:
        """This job is at work now."""
        self._id, self.said = job, ""

    def progress(self, text: str) -> None:
        """Says how far the job is. A thread that outlives its job says nothing."""
        if os.getpid() != self._process:
            return
        with self._lock, suppress(PipesClosed):
            if self._id is not None:
                self.said = text
                self._write({"id": self._id, "progress": text})

    def answer(self, message: Body) -> None:
        """Answers the job."""
        with self._lock:
            job, self._id = self._id, None
            self._write({"id": job, **message})

    def send(self, message: Body) -> None:
        """Writes one line that belongs to no job."""
        with self._lock:
            self._write(message)

    def _write(self, message: Body) -> None:
        line = encode(message)
        while line:
            try:
                line = line[os.write(self.answers, line) :]
            except OSError as error:
                raise PipesClosed(error) from error

    def _close(self) -> None:
        for descriptor in (self._jobs, self.answers):
            with suppress(OSError):
                os.close(descriptor)
