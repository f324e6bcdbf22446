"""What a client returns."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from google.protobuf.message import Message

from bucket_brigade_client import (
    Count,
    EndReason,
    Filter,
    InboxState,
    Object,
    ObjectSettled,
    Place,
    PollFinished,
    ReplayResult,
    Settlement,
    _model,
)
from bucket_brigade_client.v1 import inbox_pb2, object_pb2, poller_pb2, worker_pb2

THEN = datetime(2026, 11, 26, 8, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Settlement, poller_pb2.Settlement),
        (Filter, poller_pb2.Filter),
        (EndReason, poller_pb2.EndReason),
        (Place, inbox_pb2.Place),
        (InboxState, inbox_pb2.InboxState),
        (ReplayResult, inbox_pb2.ReplayResult),
    ],
)
def test_an_enum_has_each_value_of_the_contract_by_its_short_and_its_long_name(ours: type, theirs: type) -> None:
    values = dict(theirs.items())  # type: ignore[attr-defined]
    prefix = next(iter(values)).removesuffix("UNSPECIFIED")
    for name, number in values.items():
        assert getattr(ours, name) is getattr(ours, name.removeprefix(prefix))
        assert getattr(ours, name) == number


@pytest.mark.parametrize("ours", _model._Plain.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_result_has_each_field_of_its_message(ours: type[_model._Plain]) -> None:
    module = next(m for m in (object_pb2, poller_pb2, worker_pb2, inbox_pb2) if hasattr(m, ours.__name__))
    message: Message = getattr(module, ours.__name__)()
    fields = [field.name for field in dataclasses.fields(ours) if field.name != "message"]
    assert fields == [field.name for field in message.DESCRIPTOR.fields]
    assert _model.plain(message) == ours(), "what a service leaves out has its default"


def test_a_result_can_be_read_compared_and_sent_to_another_process() -> None:
    message = poller_pb2.ObjectSettled(
        object=object_pb2.Object(bucket="b", name="in/a.csv", generation=7, size=3, metadata={"k": "v"}),
        settlement=poller_pb2.SETTLEMENT_FAILED,
        status_code=3,
        reason="no column",
        outputs=["gs://b/x"],
    )
    message.object.create_time.FromDatetime(THEN)
    message.duration.FromTimedelta(timedelta(seconds=1.5))
    settled: ObjectSettled = _model.plain(message)
    assert settled.object.create_time == THEN
    assert settled.duration == timedelta(seconds=1.5)
    assert settled.outputs == ("gs://b/x",)
    assert settled.message is message
    assert repr(settled) == (
        "ObjectSettled(object=Object(bucket='b', name='in/a.csv', generation=7, size=3, "
        "create_time=datetime.datetime(2026, 11, 26, 8, 30, tzinfo=datetime.timezone.utc), metadata={'k': 'v'}), "
        "settlement=Settlement.FAILED, status_code=3, reason='no column', "
        "duration=datetime.timedelta(seconds=1, microseconds=500000), outputs=('gs://b/x',))"
    )
    assert f"{settled.settlement} {settled.settlement!s}" == "FAILED FAILED"
    assert pickle.loads(pickle.dumps(settled)) == settled
    assert hash(settled) == hash(_model.plain(message))
    with pytest.raises(dataclasses.FrozenInstanceError):
        settled.reason = "another"  # type: ignore[misc]


def test_a_status_that_is_absent_is_not_ok() -> None:
    assert _model.plain(poller_pb2.ObjectSettled()).status_code is None
    assert _model.plain(poller_pb2.ObjectSettled(status_code=0)).status_code == 0


def test_a_count_says_when_it_ended_at_a_limit() -> None:
    assert f"{Count(value=212)} of {Count(value=10_000, at_least=True)}" == "212 of ≥10,000"


def test_a_value_of_a_newer_service_keeps_its_number() -> None:
    finished: PollFinished = _model.plain(poller_pb2.PollFinished(reason=99))  # type: ignore[arg-type]
    assert finished.reason == 99
    assert repr(finished.reason) == "EndReason.UNKNOWN_99"
    assert pickle.loads(pickle.dumps(finished)) == finished
    with pytest.raises(ValueError, match="nonsense"):
        EndReason("nonsense")  # type: ignore[arg-type]


def test_an_object_becomes_the_message_that_it_came_from_or_one_with_its_fields() -> None:
    given = Object(bucket="b", name="n", generation=7, crc32c=5, md5_hash=b"m", create_time=THEN, metadata={"k": "v"})
    message = given.to_message()
    assert _model.plain(message) == given
    assert _model.plain(message).to_message() is message
    later = dataclasses.replace(_model.plain(message), generation=8)
    assert later.to_message().generation == 8, "a copy is not sent as what it was copied from"
