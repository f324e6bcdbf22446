"""Processes that the tests start: on their own ports, with their output kept; they end with the test."""

import atexit
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "sleepstudy"

# Settings of the machine that would reach the processes and change what is tested.
STRANGE = (
    "BRIGADE_",
    "WORKER_",
    "STORAGE_EMULATOR_",
    "GCE_METADATA_",
    "GOOGLE_",
    "CLOUDSDK_",
    "PUBSUB_",
    "PORT",
    "K_",
    "RUST_LOG",
)


def brigade():
    """The binary: the one that BRIGADE names, or the debug build."""
    path = Path(os.environ.get("BRIGADE", ROOT / "target" / "debug" / "brigade"))
    if not path.exists():
        raise SystemExit(f"{path} is not there: run `cargo build --package brigade`, or name it with BRIGADE")
    return str(path)


def free_port():
    """A free port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def clean_environment(more=None):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STRANGE)}
    return kept | {name: str(value) for name, value in (more or {}).items()}


class Process:
    """A process whose output is read as it comes, so that it never blocks on a full pipe."""

    def __init__(self, arguments, env=None, cwd=None):
        self.name = Path(arguments[0]).name + " " + " ".join(arguments[1:2])
        self.log = []
        self.out = queue.Queue()
        self.popen = subprocess.Popen(
            arguments,
            env=clean_environment(env),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own: what it starts ends with it.
            start_new_session=True,
        )
        self.stopped = False
        # Whatever breaks a test off, nothing outlives it.
        atexit.register(self.stop)
        streams = ((self.popen.stdout, self.out), (self.popen.stderr, None))
        self.readers = [threading.Thread(target=self._read, args=both, daemon=True) for both in streams]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, also):
        for line in stream:
            self.log.append(line)
            if also is not None:
                also.put(line.rstrip("\n"))
        if also is not None:
            also.put(None)

    def wait(self, timeout=120):
        """Waits until it has ended and all that it said is in the log; its exit code."""
        code = self.popen.wait(timeout=timeout)
        for reader in self.readers:
            reader.join(timeout=timeout)
        return code

    def line(self, timeout=60):
        """The next line of its stdout."""
        try:
            line = self.out.get(timeout=timeout)
        except queue.Empty:
            line = None
        if line is None:
            self.fail("said nothing more")
        return line

    def wait_for_port(self, port, timeout=60):
        """Waits until it listens."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self.popen.poll() is not None:
                self.fail(f"ended with {self.popen.returncode}")
            with socket.socket() as one:
                one.settimeout(1)
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.05)
        self.fail(f"does not listen on {port} after {timeout} s")

    def fail(self, what):
        raise AssertionError(f"{self.name} {what}; it said:\n{''.join(self.log[-40:])}")

    def stop(self):
        if self.stopped:
            return
        self.stopped = True
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.popen.pid, kind)
            except ProcessLookupError:
                pass
            try:
                self.popen.wait(timeout=10)
                return
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class KeptRunning:
    """A process that listens on a port, and that starts again soon after it has ended, as a container does."""

    def __init__(self, start, port, pause=0.5):
        self.start, self.pause = start, pause
        self.starts, self.ending = 0, threading.Event()
        self._start()
        # Only here: a later one may meet the call that ends it before anybody sees that it listens.
        self.process.wait_for_port(port)
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()

    def _start(self):
        self.process = self.start()
        self.starts += 1

    def _keep(self):
        while True:
            self.process.popen.wait()
            if self.ending.wait(self.pause):
                return
            self._start()

    def stop(self):
        self.ending.set()
        self.process.stop()
        # A start may have been under way.
        self.thread.join(timeout=self.pause + 1)
        self.process.stop()


class Emulator(Process):
    """`brigade emulator`, and the variables that it prints."""

    def __init__(self, *arguments):
        super().__init__([brigade(), "emulator", "--port", "0", *arguments])
        self.env = {}
        while "BRIGADE_ISSUERS" not in self.env:
            self.export()

    def export(self):
        """Reads one `export NAME=VALUE` line."""
        name, value = self.line().removeprefix("export ").split("=", 1)
        self.env[name] = value
        return name, value


def until(what, condition, timeout=60, every=0.1):
    """Repeats until the condition holds; returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s still not: {what}")
        time.sleep(every)
