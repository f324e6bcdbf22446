"""The usual worker written by hand, unchanged, behind our poller; and the files that ours keeps and theirs loses."""

from by_hand import Uploads, check_settled, contents, flask, lay_samples
from deployed import Deployed


def test_the_articles_worker_runs_unchanged_behind_our_poller():
    with Deployed({"/poll": "scheduler"}, http_worker=flask) as system:
        lay_samples(system.bucket)
        counts = system.poll()["counts"]
        assert (counts["processed"], counts["failed"]) == ("18", "2")
        check_settled(system.bucket)


def test_an_object_that_is_uploaded_anew_meanwhile_stays_and_is_processed_in_its_turn():
    with Deployed({"/poll": "scheduler"}, http_worker=Uploads) as system:
        system.bucket.blob(Uploads.NAME).upload_from_string(b"first")
        assert system.poll()["counts"]["superseded"] == "1"
        assert contents(system.bucket) == {"incoming/a.csv": b"second"}
        assert system.poll()["counts"]["processed"] == "1"
        assert contents(system.bucket) == {"processed/a.csv": b"second"}
        assert system.worker.seen == [b"first", b"second"]
