"""One exception an answer, over real HTTP/2."""

from __future__ import annotations

import grpc
import pytest
import raw
from google.auth.credentials import AnonymousCredentials

from bucket_brigade_client import BrigadeError, NeedsFix, Object, Refused, TryAgain, connect, errors

ONE = Object(bucket="data", name="in/a", generation=7)
ANONYMOUS = AnonymousCredentials()  # type: ignore[no-untyped-call]

# The poller's own table: what an answer of a worker means for an object.
PROCESS = [
    (1, errors.Cancelled, TryAgain),
    (2, errors.Refused, Refused),
    (3, errors.InvalidArgument, Refused),
    (4, errors.DeadlineExceeded, TryAgain),
    (5, errors.Refused, Refused),
    (6, errors.Refused, Refused),
    (7, errors.PermissionDenied, NeedsFix),
    (8, errors.ResourceExhausted, TryAgain),
    (9, errors.Refused, Refused),
    (10, errors.Aborted, TryAgain),
    (11, errors.Refused, Refused),
    (12, errors.Unimplemented, NeedsFix),
    (13, errors.Refused, Refused),
    (14, errors.Unavailable, TryAgain),
    (15, errors.Refused, Refused),
    (16, errors.Unauthenticated, NeedsFix),
]
MEANINGS = (NeedsFix, TryAgain, Refused)


def processed(answer: raw.Answer) -> BrigadeError:
    with raw.serving(answer) as url, connect(url, credentials=ANONYMOUS) as worker:
        with pytest.raises(BrigadeError) as raised:
            worker.process(ONE, timeout=60)
        return raised.value


def polled(answer: raw.Answer) -> BrigadeError:
    with raw.serving(answer) as url, connect(url, credentials=ANONYMOUS) as poller:
        with pytest.raises(BrigadeError) as raised:
            list(poller.poll(timeout=60))
        return raised.value


def test_every_code_but_ok_is_in_the_table() -> None:
    codes = {code.value[0] for code in grpc.StatusCode} - {0}
    assert codes == {code for code, _, _ in PROCESS}


@pytest.mark.parametrize(("code", "kind", "meaning"), PROCESS)
def test_a_workers_answer_has_its_exception(code: int, kind: type[BrigadeError], meaning: type[BrigadeError]) -> None:
    error = processed(raw.status(code))
    assert type(error) is kind
    assert [isinstance(error, one) for one in MEANINGS] == [one is meaning for one in MEANINGS]
    assert error.code is not None
    assert error.code.value[0] == code
    assert error.message == "its own words"
    assert str(error).startswith(f"{error.code.name}: its own words")
    assert isinstance(error.__cause__, grpc.RpcError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (3, errors.InvalidArgument),
        (9, errors.FailedPrecondition),
        (14, errors.Unavailable),
        (16, errors.Unauthenticated),
    ],
)
def test_a_pollers_answer_has_its_exception(code: int, kind: type[BrigadeError]) -> None:
    error = polled(raw.status(code))
    assert type(error) is kind
    assert error.message == "its own words"


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (301, NeedsFix, "URL"),
        (400, NeedsFix, "URL"),
        (401, errors.Unauthenticated, "audience"),
        (403, errors.PermissionDenied, "roles/run.invoker"),
        (404, errors.Unimplemented, "URL"),
        (405, NeedsFix, "URL"),
        (429, errors.Unavailable, "try again"),
        (500, errors.Unavailable, "try again"),
        (502, errors.Unavailable, "try again"),
        (503, errors.Unavailable, "try again"),
        (504, errors.Unavailable, "try again"),
    ],
)
def test_a_front_ends_page_is_never_the_objects_fault(status: int, kind: type[BrigadeError], says: str) -> None:
    for error in (processed(raw.page(status)), polled(raw.page(status))):
        assert type(error) is kind
        assert str(status) in error.message
        assert says in error.advice
        assert not isinstance(error, Refused)


@pytest.mark.parametrize("answer", [raw.no_status, raw.cut_message, raw.reset, raw.hang_up, raw.page(200)])
def test_what_breaks_on_its_way_says_nothing_about_the_object(answer: raw.Answer) -> None:
    for error in (processed(answer), polled(answer)):
        assert type(error) is errors.Unavailable, error.message
