"""The design that people write by hand, unchanged, against the stand-in; and what it loses that ours keeps."""

import json
import statistics
import sys
from pathlib import Path

import pytest
import requests
from google.cloud import storage

from running import SAMPLES, Emulator, Process, free_port

ARTICLE = Path(__file__).parent / "article"
BUCKET = "brigade-dev"
BROKEN = {"subject-398.csv", "subject-399.csv"}


class System:
    """The stand-in, the Flask worker behind a front end, and Google's client beside them."""

    def __init__(self, google, worker, client):
        self.google, self.worker, self.client = google, worker, client
        self.bucket = client.bucket(BUCKET)

    def lay_samples(self):
        for path in SAMPLES.glob("*.csv"):
            self.bucket.blob(f"incoming/{path.name}").upload_from_filename(path)

    def names(self, folder):
        return {blob.name.removeprefix(f"{folder}/") for blob in self.bucket.list_blobs(prefix=f"{folder}/")}

    def poll_by_hand(self):
        """The article's poller, once."""
        with Process([sys.executable, str(ARTICLE / "poller.py")], env={**self.google.env, "BUCKET": BUCKET}) as poller:
            return json.loads(poller.line(timeout=60))


@pytest.fixture
def system(monkeypatch):
    port = free_port()
    with Emulator("--memory", "--bucket", BUCKET, "--front-end", f"worker={port},http1,invoker=default") as google:
        google.export()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.env["STORAGE_EMULATOR_HOST"])
        worker = Process([sys.executable, str(ARTICLE / "worker.py")], env={**google.env, "PORT": port})
        with worker, storage.Client() as client:
            worker.wait_for_port(port)
            yield System(google, worker, client)


def check_settled(system):
    """18 and 2, byte for byte, and the features of the study."""
    samples = {path.name: path.read_bytes() for path in SAMPLES.glob("*.csv")}
    assert len(samples) == 20
    assert system.names("incoming") == set()
    assert system.names("failed") == BROKEN
    assert system.names("processed") == set(samples) - BROKEN
    for folder in ("processed", "failed"):
        for name in system.names(folder):
            assert system.bucket.blob(f"{folder}/{name}").download_as_bytes() == samples[name]
    features = [json.loads(blob.download_as_bytes()) for blob in system.bucket.list_blobs(prefix="features/")]
    assert len(features) == 18
    # The published fit over the 18 subjects.
    assert round(statistics.mean(one["intercept_ms"] for one in features), 3) == 251.405
    assert round(statistics.mean(one["slope_ms_per_day"] for one in features), 3) == 10.467


def test_the_article_runs_unchanged(system):
    system.lay_samples()
    assert system.poll_by_hand() == {"processed": 18, "failed": 2, "left": 0}
    check_settled(system)
    assert system.poll_by_hand() == {"processed": 0, "failed": 0, "left": 0}


def test_the_worker_is_not_reached_without_a_token(system):
    for headers in ({}, {"authorization": "Bearer a.b.c"}):
        answer = requests.post(system.google.env["WORKER_URL"], json={}, headers=headers)
        assert answer.status_code in (401, 403)
    assert "POST" not in "".join(system.worker.log)
