from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from worker import Persistent, program

HEAD = "from bucket_brigade_worker import *\nimport os, sys, time\n"
TAIL = '\nif __name__ == "__main__":\n    serve(score)\n'


class Start(Protocol):
    def __call__(self, code: str, tail: str = TAIL, versions: str = "1", **given: str) -> Persistent: ...


class Write(Protocol):
    def __call__(self, code: str, tail: str = TAIL) -> Path: ...


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a script whose function is `score`."""

    def written(code: str, tail: str = TAIL) -> Path:
        return program(tmp_path, HEAD + code + tail)

    return written


@pytest.fixture
def persistent(write: Write) -> Iterator[Start]:
    """Starts such a script as a persistent program."""
    started = []

    def start(code: str, tail: str = TAIL, versions: str = "1", **given: str) -> Persistent:
        started.append(Persistent(write(code, tail), versions, **given))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to process."""
    path = tmp_path / "night.csv"
    path.write_text("day\n1\n2\n")
    return path
