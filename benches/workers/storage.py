"""The download and the upload of a worker without ours: plain HTTP over one connection a thread, less than a client library does."""

import os
import threading
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from features import features

kept = threading.local()


def call(method: str, path: str, body: bytes = b"") -> bytes:
    if not hasattr(kept, "connection"):
        kept.connection = HTTPConnection(os.environ["STORAGE"])
    kept.connection.request(method, path, body, {"content-type": "text/csv"})
    response = kept.connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise OSError(f"{method} {path}: {response.status} {content[:200]!r}")
    return content


def process(bucket: str, name: str, generation: int) -> str:
    with TemporaryDirectory() as directory:
        file, output = Path(directory, "file.csv"), Path(directory, "summary.csv")
        place = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        file.write_bytes(call("GET", f"{place}?alt=media&generation={generation}"))
        summary = features(file, output)
        wanted = quote(f"features/{name.removeprefix('incoming/')}/summary.csv", safe="")
        call("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={wanted}", output.read_bytes())
    return summary
