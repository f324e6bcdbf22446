"""A Python worker by grpcio behind our poller: neither one bad file nor what the library answers by itself costs a good file."""

import sys
from pathlib import Path

import grpc
import pytest

from deployed import POISON, Deployed, check_poison
from running import KeptRunning, Process

WORKER = str(Path(__file__).parent / "grpc_worker.py")


def start(port, mode=""):
    return Process([sys.executable, WORKER], env={"MODE": mode, "PORT": port})


def started(port, mode=""):
    return start(port, mode).wait_for_port(port)


def deployed(settings=None, mode=""):
    return Deployed({"/poll": "scheduler"}, grpc_worker=lambda port, _: started(port, mode), settings=settings)


def put(system, name):
    system.bucket.blob(f"incoming/{name}").upload_from_string(b"x")


@pytest.mark.parametrize(
    ("name", "start"),
    [("long-message", "x" * 500), ("long-emoji", "\N{GRINNING FACE}" * 100)],
    ids=["ASCII", "four bytes each"],
)
def test_a_refusal_with_66_000_characters_fails_its_file_with_a_shortened_reason(name, start):
    with deployed() as system:
        system.upload(20)
        put(system, name)
        counts = system.poll()["counts"]
        assert (counts["processed"], counts["failed"]) == ("20", "1")
        assert system.names("failed") == [name]
        assert system.reason(name).startswith(start)
        assert len(system.reason(name).encode()) <= 1024


@pytest.mark.parametrize("mode", ["restart", "age"], ids=["the worker stops", "its connection reaches its age"])
def test_a_call_that_the_workers_server_ends_counts_no_attempt(mode):
    # One attempt that counted would send the file to failed/.
    with deployed({"BRIGADE_MAX_ATTEMPTS": 1}, mode) as system:
        put(system, "outlives.csv")
        system.poll()
        assert (system.names("processed"), system.names("failed")) == (["outlives.csv"], [])


def test_a_worker_that_stops_and_is_away_for_whole_polls_costs_its_file_no_attempt():
    # A poll waits for a worker that is away for a quarter of its time.
    with deployed({"BRIGADE_MAX_ATTEMPTS": 1, "BRIGADE_POLL_DEADLINE": "20s"}, "exit") as system:
        put(system, "outlives.csv")
        for _ in range(2):
            assert system.post_poll().status_code == 503
            assert system.names("incoming") == ["outlives.csv"]
        system.worker.popen.wait(timeout=60)
        system.worker = system._start(started(system.worker_port))
        system.poll()
        assert (system.names("processed"), system.names("failed")) == (["outlives.csv"], [])


def test_long_calls_send_no_ping_that_a_strict_server_minds():
    # The poller pings after 330 s, which no test here waits for: clients/rust/src/connect/tests.rs counts the PING frames of
    # longer calls in virtual time. This one finds pings that come for another reason, such as one for each message.
    with deployed({"BRIGADE_MAX_ATTEMPTS": 1}, "no pings") as system:
        for number in range(4):
            put(system, f"lasts-{number}.csv")
        system.upload(40)
        counts = system.poll()["counts"]
        assert counts["processed"] == "44" and "retry" not in counts, counts
        assert "Too many pings" not in "".join(system.poller.log)
        # The server is as strict as that.
        often = [("grpc.keepalive_time_ms", 1000), ("grpc.http2.max_pings_without_data", 0)]
        with grpc.insecure_channel(f"127.0.0.1:{system.worker_port}", options=often) as channel:
            with pytest.raises(grpc.RpcError, match="Too many pings"):
                channel.unary_unary("/brigade.v1.WorkerService/Process")(b"lasts")


def test_answers_that_are_compressed_with_gzip_are_read():
    with deployed(mode="gzip") as system:
        for name in ("compressible.csv", "long-answer.csv", "refused.csv"):
            put(system, name)
        system.upload(20)
        counts = system.poll()["counts"]
        assert (counts["processed"], counts["failed"]) == ("21", "1")
        assert system.reason("refused.csv") == "line 2"
        # Its 70,000 bytes were some 100 on their way.
        assert "too large" in system.bucket.get_blob("incoming/long-answer.csv").metadata["brigade-reason"]


def test_answers_that_are_compressed_otherwise_stop_the_poll_with_the_encodings_name():
    with deployed(mode="deflate") as system:
        for number in range(20):
            put(system, f"compressible-{number}.csv")
        error = system.poll_that_stops()
        assert 'compressed with "deflate"' in error and "gzip" in error, error
        assert len(system.names("incoming")) == 20


def test_a_worker_on_this_machine_gets_no_token_where_none_is_to_be_sent():
    # There is no source of tokens either.
    with deployed({"BRIGADE_WORKER_AUTH": "none", "GCE_METADATA_HOST": ""}) as system:
        put(system, "needs-no-token.csv")
        assert system.poll()["counts"]["processed"] == "1"
    with deployed() as system:
        put(system, "needs-no-token.csv")
        system.poll()
        assert system.reason("needs-no-token.csv") == "there is a token"


def test_a_file_that_kills_its_worker_fails_within_8_polls_and_all_others_pass():
    def worker(port, _):
        return KeptRunning(lambda: start(port), port)

    with Deployed({"/poll": "scheduler"}, grpc_worker=worker) as system:
        put(system, POISON)
        system.upload(60)
        check_poison(system)


DOUBTFUL = [
    ("unknown-kind", "no reader for this kind of file"),
    ("not-allowed", "this file is another team's"),
    ("long-answer", "too large"),
]
IDS = ["UNIMPLEMENTED", "PERMISSION_DENIED", "more than 64 KiB"]


@pytest.mark.parametrize(("name", "words"), DOUBTFUL, ids=IDS)
@pytest.mark.parametrize(("attempts", "place"), [(5, "incoming"), (1, "failed")], ids=["first attempt", "last attempt"])
def test_an_answer_that_may_be_about_the_wiring_stops_no_other_file(name, words, attempts, place):
    # Its file is asked about first, when the worker has accepted nothing yet.
    with deployed({"BRIGADE_MAX_ATTEMPTS": attempts}) as system:
        put(system, f"000-{name}.csv")
        system.upload(20)
        system.poll()
        assert len(system.names("processed")) == 20
        metadata = system.bucket.get_blob(f"{place}/000-{name}.csv").metadata
        assert metadata["brigade-attempts"] == "1"
        assert words in metadata["brigade-reason"]


@pytest.mark.parametrize(("name", "words"), DOUBTFUL, ids=IDS)
def test_the_same_answer_about_every_file_stops_the_poll(name, words):
    with deployed() as system:
        for number in range(20):
            put(system, f"{name}-{number}.csv")
        for _ in range(2):
            assert words in system.poll_that_stops()
        assert len(system.names("incoming")) == 20


def test_an_exception_about_every_file_puts_the_brake_on():
    with deployed() as system:
        for number in range(60):
            put(system, f"bug-{number}.csv")
        finished = system.poll()
        assert finished["reason"] == "END_REASON_BRAKE"
        assert "name '…' is not defined" in finished["brake"]["reasons"][0]["reason"]
        assert len(system.names("failed")) == 25
