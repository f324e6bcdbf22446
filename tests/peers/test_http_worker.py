"""The usual worker written by hand, unchanged, behind our poller; and the files that ours keeps and theirs loses."""

import sys
import threading
import time
from pathlib import Path

import pytest
from flask import Flask, abort, request
from werkzeug.serving import make_server

from by_hand import Uploads, check_settled, contents, flask, lay_samples
from deployed import POISON, Deployed, check_poison
from running import KeptRunning, Process

MORTAL = str(Path(__file__).parent / "mortal_flask_worker.py")


def test_the_articles_worker_runs_unchanged_behind_our_poller():
    with Deployed({"/poll": "scheduler"}, http_worker=flask) as system:
        lay_samples(system.bucket)
        counts = system.poll()["counts"]
        assert (counts["processed"], counts["failed"]) == ("18", "2")
        check_settled(system.bucket)
        for name in ("subject-398.csv", "subject-399.csv"):
            assert system.reason(name).startswith(f"cannot process incoming/{name}: ")


def test_an_object_that_is_uploaded_anew_meanwhile_stays_and_is_processed_in_its_turn():
    with Deployed({"/poll": "scheduler"}, http_worker=Uploads) as system:
        system.bucket.blob(Uploads.NAME).upload_from_string(b"first")
        assert system.poll()["counts"]["superseded"] == "1"
        assert contents(system.bucket) == {"incoming/a.csv": b"second"}
        assert system.poll()["counts"]["processed"] == "1"
        assert contents(system.bucket) == {"processed/a.csv": b"second"}
        assert system.worker.seen == [b"first", b"second"]


class Service:
    """An existing Flask service, with one view."""

    def __init__(self, port, view):
        app = Flask("service")
        app.add_url_rule("/", view_func=view, methods=["POST"])
        self.server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def before(view, settings=None):
    return Deployed({"/poll": "scheduler"}, http_worker=lambda port, _: Service(port, view), settings=settings)


def as_json():
    return {"detail": [{"loc": ["line", 2], "msg": "line 2 is not a number"}]}, 422


def as_page():
    abort(422, "line 2 is not a number")


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        (as_json, "HTTP 422: line.2: line 2 is not a number"),
        (as_page, "HTTP 422: 422 Unprocessable Entity: line 2 is not a number"),
    ],
)
@pytest.mark.parametrize("name", ["000-bad.csv", "bad.csv"], ids=["first", "last"])
def test_a_422_about_one_file_of_61_fails_that_file_with_the_workers_words(name, refuse, reason):
    def view():
        return refuse() if request.json["name"].endswith("bad.csv") else "ok"

    with before(view) as system:
        system.upload(60)
        system.bucket.blob(f"incoming/{name}").upload_from_string(b"x")
        counts = system.poll()["counts"]
        assert (counts["processed"], counts["failed"]) == ("60", "1")
        assert system.reason(name) == reason


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        # Flask says that it is text/html.
        (lambda: ("failed", 500), "failed"),
        (lambda: ("<p>failed</p>", 500), "failed"),
        (lambda: ({"message": "failed"}, 500), "failed"),
        (lambda: abort(500, "failed"), "500 Internal Server Error: failed"),
    ],
    ids=["a bare text", "a paragraph", "JSON", "abort"],
)
def test_the_reason_of_a_500_is_the_services_own_words(view, reason):
    with before(view) as system:
        system.upload(1)
        assert system.poll()["counts"]["failed"] == "1"
        assert system.reason("000.csv") == reason


def test_a_422_about_the_only_file_there_is_fails_it():
    with before(as_json) as system:
        system.upload(1)
        assert system.poll()["counts"]["failed"] == "1"
        assert system.reason("000.csv") == "HTTP 422: line.2: line 2 is not a number"


def test_a_422_about_every_file_after_the_first_puts_the_brake_on():
    # As after a deployment whose request has another field.
    names = []

    def view():
        names.append(request.json["name"])
        return "ok" if len(names) == 1 else as_json()

    with before(view) as system:
        system.upload(1)
        system.poll()
        system.upload(200)
        assert system.poll()["reason"] == "END_REASON_BRAKE"
        assert len(system.names("failed")) <= 25


def test_a_429_when_full_counts_no_attempt_and_all_files_are_processed_in_one_poll():
    places, refused = threading.Semaphore(3), []

    def view():
        if not places.acquire(blocking=False):
            refused.append(request.json["name"])
            abort(429)
        try:
            time.sleep(0.1)
            return "ok"
        finally:
            places.release()

    # One attempt that counted would send the file to failed/.
    with before(view, {"BRIGADE_MAX_ATTEMPTS": 1}) as system:
        system.upload(60)
        counts = system.poll()["counts"]
        assert counts["processed"] == "60" and "failed" not in counts
        # It was full, and it was not pressed.
        assert 1 <= len(refused) <= 60


def test_a_file_that_kills_its_worker_fails_within_8_polls_and_all_others_pass():
    def start(port):
        return Process([sys.executable, MORTAL], env={"PORT": port})

    with Deployed({"/poll": "scheduler"}, http_worker=lambda port, _: KeptRunning(lambda: start(port), port)) as system:
        system.bucket.blob(f"incoming/{POISON}").upload_from_string(b"x")
        system.upload(60)
        check_poison(system)


def sign_in():
    return "<!doctype html><title>Sign in - Intranet</title><form><input type=password></form>"


def bad_request():
    return {"error": "the field path is missing"}, 400


def not_found():
    abort(404)


@pytest.mark.parametrize(
    ("view", "words"),
    [(sign_in, "Sign in - Intranet"), (bad_request, "the field path is missing"), (not_found, "404")],
    ids=["a sign-in page with status 200", "a 400 with words", "a 404"],
)
def test_the_same_about_every_file_stops_the_poll_while_nothing_was_ever_accepted(view, words):
    with before(view) as system:
        system.upload(60)
        # Neither does a later poll take a file for bad.
        for _ in range(3):
            error = system.poll_that_stops()
            assert words in error and "check WORKER_URL" in error, error
        assert len(system.names("incoming")) == 60
        assert system.names("failed") == system.names("processed") == []
