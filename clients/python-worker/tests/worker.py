"""The worker's end of the protocol, over real pipes."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Union

import bucket_brigade_worker

# The package that is tested, installed or not.
PACKAGES = Path(bucket_brigade_worker.__file__).resolve().parent.parent
# No test ends well by it.
LONG = 120.0
# The trace that every job belongs to.
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Message = dict[str, Any]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES), "PYTHONDONTWRITEBYTECODE": "1", **given}


class Ended:
    """How a program ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    def __repr__(self) -> str:
        return f"{self.status}\n{self.out}\n{self.err}"


def program(directory: Path, code: str) -> Path:
    """A script of this package's users."""
    script = directory / "score.py"
    script.write_text(code)
    return script


def run_once(script: Path, *arguments: Union[str, Path], **given: str) -> Ended:
    """Runs the script to its end, in its own directory."""
    ran = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=environment(given),
        cwd=script.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


class Persistent:
    """A program that was started with `--persistent`."""

    def __init__(self, script: Path, versions: str = "1", **given: str) -> None:
        self.directory = script.parent
        jobs, self.jobs = os.pipe()
        self.answers, answers = os.pipe()
        variables = {"BRIGADE_JOBS_FD": str(jobs), "BRIGADE_ANSWERS_FD": str(answers), "BRIGADE_PROTOCOL": versions}
        # Files never make the program wait for a reader.
        self.out, self.err = self.directory / "stdout", self.directory / "stderr"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(script)],
                env=environment({**variables, **given}),
                cwd=self.directory,
                pass_fds=(jobs, answers),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        os.close(jobs)
        os.close(answers)
        self._pending = b""
        self._number = 0

    def ready(self) -> Message:
        message = self.line()
        assert message is not None, self.err.read_text()
        return message

    def line(self) -> Optional[Message]:
        """The next line of the program; `None` when it closed the pipe."""
        while b"\n" not in self._pending:
            readable, _, _ = select.select([self.answers], [], [], LONG)
            assert readable, f"no line: {self.err.read_text()}"
            chunk = os.read(self.answers, 65536)
            if not chunk:
                assert not self._pending
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        assert len(line) < 64 * 1024
        message = json.loads(line, parse_constant=lambda constant: pytest_fail(constant))
        assert isinstance(message, dict)
        return message

    def send(self, content: str = "a\nb\n", name: str = "incoming/night.csv", seconds: float = 600) -> str:
        """Sends one job."""
        self._number += 1
        job = f"job-{self._number}"
        here = self.directory / job
        for made in ("output", "tmp"):
            (here / made).mkdir(parents=True)
        (here / "night.csv").write_text(content)
        message = {
            "id": job,
            "path": str(here / "night.csv"),
            "output_dir": str(here / "output"),
            "scratch": str(here / "tmp"),
            "attempt": 2,
            "traceparent": TRACEPARENT,
            "deadline_seconds": seconds,
            "object": {"bucket": "data", "name": name, "generation": "7", "size": str(len(content)), "later": True},
        }
        self.write(json.dumps({"job": message, "later": 1}).encode() + b"\n")
        return job

    def write(self, line: bytes) -> None:
        os.write(self.jobs, line)

    def answer(self, content: str = "a\nb\n", **given: Any) -> Message:
        """Sends one job, and returns its answer without the id."""
        job = self.send(content, **given)
        message = self.line()
        assert message is not None, self.err.read_text()
        assert message.pop("id") == job
        return message

    def output(self, name: str) -> str:
        """An output of the last job."""
        return (self.directory / f"job-{self._number}" / "output" / name).read_text()

    def end(self) -> Ended:
        """Closes the pipe of jobs, and waits for the end."""
        os.close(self.jobs)
        return self.ended()

    def ended(self) -> Ended:
        return Ended(self.process.wait(LONG), self.out.read_text(), self.err.read_text())

    def kill(self) -> None:
        """Ends what a test left, with its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LONG)


def pytest_fail(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
