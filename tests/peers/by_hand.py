"""The usual design written by hand, as processes: its poller, its worker, and one that shows what the poller loses."""

import json
import statistics
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from google.cloud import storage

from running import SAMPLES, Emulator, Process, free_port

ARTICLE = Path(__file__).parent / "article"
BUCKET = "brigade-dev"
BROKEN = {"subject-398.csv", "subject-399.csv"}


def flask(port, env):
    """The article's worker, unchanged."""
    return Process([sys.executable, str(ARTICLE / "worker.py")], env={**env, "PORT": port}).wait_for_port(port)


class ByHand:
    """The emulator, and a worker behind a front end; the article's poller runs on request."""

    def __init__(self, start_worker):
        port = free_port()
        self.google = Emulator("--memory", "--bucket", BUCKET, "--front-end", f"worker={port},http1,invoker=default")
        try:
            self.google.export()
            self.worker = start_worker(port, self.google.env)
        except BaseException:
            self.google.stop()
            raise
        endpoint = {"api_endpoint": self.google.env["STORAGE_EMULATOR_HOST"]}
        self.bucket = storage.Client(client_options=endpoint, use_auth_w_custom_endpoint=False).bucket(BUCKET)

    def poll(self):
        """The article's poller, unchanged, once."""
        with Process([sys.executable, str(ARTICLE / "poller.py")], env={**self.google.env, "BUCKET": BUCKET}) as poller:
            return json.loads(poller.line(timeout=60))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.worker.stop()
        self.google.stop()


def lay_samples(bucket):
    for path in SAMPLES.glob("*.csv"):
        bucket.blob(f"incoming/{path.name}").upload_from_filename(path)


def contents(bucket):
    """The bucket's objects without leases: names and bytes."""
    blobs = (blob for blob in bucket.list_blobs() if not blob.name.startswith(".brigade/"))
    return {blob.name: blob.download_as_bytes() for blob in blobs}


def check_settled(bucket):
    """18 and 2, byte for byte, and the features of the study."""
    samples = {path.name: path.read_bytes() for path in SAMPLES.glob("*.csv")}
    wanted = {f"{'failed' if name in BROKEN else 'processed'}/{name}": content for name, content in samples.items()}
    assert len(wanted) == 20
    found = contents(bucket)
    features = [json.loads(found.pop(name)) for name in list(found) if name.startswith("features/")]
    assert found == wanted
    assert len(features) == 18
    # The published fit over the 18 subjects.
    assert round(statistics.mean(one["intercept_ms"] for one in features), 3) == 251.405
    assert round(statistics.mean(one["slope_ms_per_day"] for one in features), 3) == 10.467


class Uploads:
    """A worker that is slow enough, once, for the object to be uploaded again while it is processed."""

    NAME = "incoming/a.csv"

    def __init__(self, port, env):
        self.seen, uploads = [], self
        endpoint = {"api_endpoint": env["STORAGE_EMULATOR_HOST"]}
        blob = storage.Client(client_options=endpoint, use_auth_w_custom_endpoint=False).bucket(BUCKET).blob(self.NAME)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                uploads.seen.append(blob.download_as_bytes())
                if len(uploads.seen) == 1:
                    blob.upload_from_string(b"second")
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
