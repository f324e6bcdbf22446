"""The fixtures of the tests: `brigade emulator` as a process, and Google's own client."""

import itertools

import pytest

from running import Emulator

BUCKET = "brigade-dev"
numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["memory", "directory"])
def emulator(request, tmp_path_factory):
    """The emulator as a process, once in memory and once over a directory."""
    where = ["--memory"] if request.param == "memory" else ["--data", str(tmp_path_factory.mktemp("data"))]
    with Emulator("--bucket", BUCKET, *where) as running:
        running.medium = request.param
        yield running


@pytest.fixture
def client(emulator, monkeypatch):
    """Google's client, which finds the emulator by the variable that it supports."""
    from google.cloud import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.env["STORAGE_EMULATOR_HOST"])
    with storage.Client() as made:
        yield made


@pytest.fixture
def bucket(client):
    return client.bucket(BUCKET)


@pytest.fixture
def memory_only(emulator):
    """For names that no directory can have; another test checks that the emulator says so."""
    if emulator.medium != "memory":
        pytest.skip("a directory cannot hold these names")


@pytest.fixture
def prefix():
    """A folder that no other test uses."""
    return f"test-{next(numbers)}/"
