"""The poller of the article: it lists the new files of a bucket, sends the name of each to the worker, and moves it by
the answer's HTTP status. `BUCKET` and `WORKER_URL` are its settings.
"""

import json
import os

import requests
from google.auth.transport.requests import Request
from google.cloud import storage
from google.oauth2.id_token import fetch_id_token

FOLDERS = {200: "processed", 500: "failed"}


def poll(bucket, worker_url):
    """One scan; returns the number of files for each destination."""
    counts = dict.fromkeys([*FOLDERS.values(), "left"], 0)
    for blob in bucket.list_blobs(prefix="incoming/"):
        if blob.name.endswith("/"):
            continue
        folder = FOLDERS.get(ask(worker_url, bucket.name, blob.name))
        if folder:
            move(bucket, blob, blob.name.replace("incoming", folder, 1))
        counts[folder or "left"] += 1
    return counts


def ask(worker_url, bucket, name):
    """The worker's HTTP status. The audience that its front end accepts is its own URL."""
    token = fetch_id_token(Request(), worker_url)
    answer = requests.post(
        worker_url,
        json={"bucket": bucket, "name": name},
        headers={"Authorization": f"Bearer {token}"},
        timeout=600,
    )
    return answer.status_code


def move(bucket, blob, name):
    """Moves by name, as most examples do: a copy, then a deletion."""
    bucket.copy_blob(blob, bucket, name)
    bucket.delete_blob(blob.name)


if __name__ == "__main__":
    print(json.dumps(poll(storage.Client().bucket(os.environ["BUCKET"]), os.environ["WORKER_URL"])))
