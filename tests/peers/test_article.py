"""The usual design written by hand, unchanged, against the emulator; and what its poller loses."""

import requests

from article import poller
from by_hand import ByHand, Uploads, check_settled, contents, flask, lay_samples


def test_the_article_runs_unchanged():
    with ByHand(flask) as system:
        lay_samples(system.bucket)
        assert system.poll() == {"processed": 18, "failed": 2, "left": 0}
        check_settled(system.bucket)
        assert system.poll() == {"processed": 0, "failed": 0, "left": 0}


def test_the_worker_is_not_reached_without_a_token():
    with ByHand(flask) as system:
        for headers in ({}, {"authorization": "Bearer a.b.c"}):
            answer = requests.post(system.google.env["WORKER_URL"], json={}, headers=headers, timeout=60)
            assert answer.status_code in (401, 403)
        assert "POST" not in "".join(system.worker.log)


# What it gets wrong


def test_by_hand_an_object_that_is_uploaded_anew_meanwhile_is_moved_unprocessed():
    with ByHand(Uploads) as system:
        system.bucket.blob(Uploads.NAME).upload_from_string(b"first")
        assert system.poll() == {"processed": 1, "failed": 0, "left": 0}
        # The worker never saw what is in processed/, and nothing is left to process.
        assert contents(system.bucket) == {"processed/a.csv": b"second"}
        assert system.poll() == {"processed": 0, "failed": 0, "left": 0}
        assert system.worker.seen == [b"first"]


def test_by_hand_an_object_that_is_uploaded_between_copy_and_deletion_is_lost():
    with ByHand(Uploads) as system:
        blob = system.bucket.blob(Uploads.NAME)
        blob.upload_from_string(b"first")
        copy = system.bucket.copy_blob

        def copy_and_then_somebody_uploads(*arguments):
            copy(*arguments)
            blob.upload_from_string(b"second")

        system.bucket.copy_blob = copy_and_then_somebody_uploads
        poller.move(system.bucket, blob, "processed/a.csv")
        assert contents(system.bucket) == {"processed/a.csv": b"first"}
