"""`status()`, `failed()`, `replay()` and `watch()`: against a real poller, and when streams break off."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import grpc
import inbox
import pytest
from dev import Dev
from google.auth.credentials import AnonymousCredentials

from bucket_brigade_client import (
    AsyncClient,
    Client,
    Count,
    InboxObject,
    InFlightSnapshot,
    Missed,
    ObjectFilter,
    ObjectSettled,
    Place,
    PollFinished,
    ReplayedObject,
    ReplayEvent,
    ReplayFinished,
    ReplayProgress,
    ReplayResult,
    ReplayStarted,
    connect,
    errors,
)
from bucket_brigade_client.v1 import inbox_pb2, object_pb2

ANONYMOUS = AnonymousCredentials()  # type: ignore[no-untyped-call]
AWAY = grpc.StatusCode.UNAVAILABLE
BAD = ["subject-398.csv", "subject-399.csv"]


@pytest.fixture
def fake() -> inbox.Inbox:
    return inbox.Inbox()


@pytest.fixture
def there(fake: inbox.Inbox) -> Iterator[str]:
    server = inbox.serve(fake)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def results(events: Iterable[ReplayEvent]) -> Counter[str]:
    return Counter(event.result.name for event in events if isinstance(event, ReplayedObject))


def test_status_says_what_waits_and_what_was_settled(system: Dev) -> None:
    with connect(system.poller) as poller:
        before = poller.status()
        assert (before.waiting, before.processed, before.failed) == (Count(value=20), Count(), Count())
        assert before.inbox == "gs://brigade-dev/incoming/"
        assert before.oldest is not None
        assert before.oldest.place == Place.INBOX
        list(poller.poll())
        after = poller.status(since=timedelta(hours=1))
    assert (str(after.waiting), str(after.processed), str(after.failed)) == ("0", "18", "2")
    assert after.last_poll is not None
    assert after.last_poll.finished is not None
    assert after.last_poll.finished.counts.failed == 2


def test_failed_objects_have_their_reason_and_are_selected_by_a_filter(system: Dev) -> None:
    with connect(system.poller) as poller:
        assert list(poller.failed()) == []
        list(poller.poll())
        first, second = poller.failed()
        assert [first.path, second.path] == BAD
        assert "column reaction_ms" in second.reason
        assert second.status_code == 3
        assert second.uri == "gs://brigade-dev/failed/subject-399.csv"
        assert second.settle_time is not None
        assert [one.path for one in poller.failed(kind=second.kind, match="*9.csv")] == BAD[1:]
        assert [one.path for one in poller.failed(status_code="INVALID_ARGUMENT")] == BAD
        assert list(poller.failed(status_code=13)) == []
        with pytest.raises(ValueError, match="TEAPOT"):
            poller.failed(status_code="TEAPOT")
        assert [one.path for one in poller.failed(limit=1)] == BAD[:1]
        assert [one.path for one in poller.failed(since=timedelta(hours=1))] == BAD
        assert list(poller.failed(until=second.settle_time - timedelta(hours=1))) == []
        with pytest.raises(errors.InvalidArgument, match="since"):
            list(poller.failed(since=timedelta(hours=1), until=timedelta(hours=2)))
        with pytest.raises(TypeError, match="colour"):
            poller.failed(colour="red")  # type: ignore[call-arg]


def test_one_object_is_shown_with_all_that_is_known_of_it(system: Dev) -> None:
    with connect(system.poller) as poller:
        list(poller.poll())
        (first, _) = poller.failed()
        for name in (first, first.path, first.uri):
            found = poller.get_object(name)
            assert found.object == first
            assert "jsonPayload.object" in found.log_filter
        processed = poller.get_object(system.names("processed")[0], place=Place.PROCESSED)
        assert processed.object.place == Place.PROCESSED
        with pytest.raises(errors.Refused) as refused:
            poller.get_object("none.csv")
        assert refused.value.code is grpc.StatusCode.NOT_FOUND


def test_failed_objects_become_the_rows_of_a_dataframe(system: Dev, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    with connect(system.poller) as poller:
        empty = poller.failed().to_dataframe()
        list(poller.poll())
        frame = poller.failed().to_dataframe()
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "pandas", None)
            with pytest.raises(ImportError, match=r"bucket-brigade-client\[pandas\]"):
                poller.failed().to_dataframe()
    assert len(empty) == 0
    assert list(empty.columns) == list(frame.columns)
    assert list(frame["path"]) == BAD
    assert list(frame["code"]) == ["INVALID_ARGUMENT"] * 2
    assert frame["settle_time"].dt.tz is not None
    assert empty["settle_time"].dt.tz is not None
    assert (pandas.Timestamp.now("UTC") - frame["settle_time"]).max() < timedelta(hours=1)
    assert frame.groupby("kind").size().sum() == 2


def test_a_replay_moves_what_was_asked_for_and_nothing_else(system: Dev) -> None:
    with connect(system.poller) as poller:
        list(poller.poll())
        assert results(poller.replay(all=True, dry_run=True)) == {"PLANNED": 2}
        assert system.names("failed") == BAD
        started, *_, finished = poller.replay(match="*9.csv")
        assert isinstance(started, ReplayStarted)
        assert started.filter == ObjectFilter(place=Place.FAILED, match="*9.csv")
        assert isinstance(finished, ReplayFinished)
        assert finished.counts.replayed == 1
        assert (system.names("failed"), system.names("incoming")) == (BAD[:1], BAD[1:])
        # An object of failed(), and a name that is not there.
        events = list(poller.replay(*poller.failed(), "none.csv"))
        assert results(events) == {"REPLAYED": 1, "GONE": 1}
        (moved,) = (e for e in events if isinstance(e, ReplayedObject) and e.result == ReplayResult.REPLAYED)
        assert moved.destination == "gs://brigade-dev/incoming/subject-398.csv"
        assert system.names("incoming") == BAD
        again = [event for event in poller.poll() if isinstance(event, PollFinished)]
        assert again[0].counts.failed == 2


@pytest.mark.parametrize(
    "replay",
    [lambda p: p.replay(), lambda p: p.replay("a", kind="b"), lambda p: p.replay("a", all=True)],
    ids=["nothing", "a name and a filter", "a name and all"],
)
def test_a_replay_of_nothing_or_of_two_selections_is_refused(
    system: Dev, replay: Callable[[Client], Iterable[ReplayEvent]]
) -> None:
    with connect(system.poller) as poller, pytest.raises(errors.InvalidArgument, match="exactly one"):
        list(replay(poller))


def test_a_watcher_sees_a_poll(system: Dev) -> None:
    with connect(system.poller) as poller, poller.watch() as watch:
        assert isinstance(next(watch).event, InFlightSnapshot)
        list(poller.poll())
        seen: Counter[type] = Counter()
        for watched in watch:
            assert watched.time.tzinfo is timezone.utc
            seen[type(watched.event)] += 1
            if isinstance(watched.event, PollFinished):
                break
    assert seen[InboxObject] == 20
    assert seen[ObjectSettled] == 20


def test_the_asynchronous_client_has_the_same_calls(system: Dev) -> None:
    async def use() -> None:
        async with AsyncClient(system.poller) as poller:
            async with poller.watch() as watch:
                assert isinstance((await anext(watch)).event, InFlightSnapshot)
                async for _ in poller.poll():
                    pass
                async for watched in watch:
                    if isinstance(watched.event, PollFinished):
                        break
            assert (await poller.status()).failed == Count(value=2)
            assert [one.path async for one in poller.failed()] == BAD
            assert (await poller.get_object(BAD[0])).object.path == BAD[0]
            assert results([event async for event in poller.replay(all=True, dry_run=True)]) == {"PLANNED": 2}
            if "pandas" in sys.modules:
                assert list((await poller.failed().to_dataframe())["path"]) == BAD

    asyncio.run(use())


def page(names: str, token: str) -> inbox_pb2.ListObjectsResponse:
    objects = [inbox_pb2.InboxObject(path=name) for name in names]
    return inbox_pb2.ListObjectsResponse(objects=objects, next_page_token=token)


def replayed(name: str) -> inbox_pb2.ReplayObjectsResponse:
    moved = inbox_pb2.InboxObject(object=object_pb2.Object(name=name))
    return inbox_pb2.ReplayObjectsResponse(
        object=inbox_pb2.ReplayedObject(object=moved, result=inbox_pb2.REPLAY_RESULT_REPLAYED)
    )


def progress(count: int, token: str) -> inbox_pb2.ReplayObjectsResponse:
    counts = inbox_pb2.ReplayCounts(replayed=count)
    return inbox_pb2.ReplayObjectsResponse(
        progress=inbox_pb2.ReplayProgress(scanned=count, counts=counts, next_page_token=token)
    )


def finished(count: int, token: str = "") -> inbox_pb2.ReplayObjectsResponse:
    counts = inbox_pb2.ReplayCounts(replayed=count)
    return inbox_pb2.ReplayObjectsResponse(finished=inbox_pb2.ReplayFinished(counts=counts, next_page_token=token))


STARTED = inbox_pb2.ReplayObjectsResponse(started=inbox_pb2.ReplayStarted())
HEARTBEAT = inbox_pb2.WatchEventsResponse(heartbeat=inbox_pb2.Heartbeat())
SNAPSHOT = inbox_pb2.WatchEventsResponse(snapshot=inbox_pb2.InFlightSnapshot(count=3))
MISSED = inbox_pb2.WatchEventsResponse(missed=7)


def read(url: str, call: str, *, retry: int, is_async: bool, **arguments: Any) -> list[Any]:  # noqa: ANN401
    """All that the call streams, by either client."""
    if not is_async:
        with connect(url, credentials=ANONYMOUS, retry=retry) as client:
            return list(getattr(client, call)(**arguments))

    async def read_all() -> list[Any]:
        async with AsyncClient(url, credentials=ANONYMOUS, retry=retry) as poller:
            return [one async for one in getattr(poller, call)(**arguments)]

    return asyncio.run(read_all())


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_listing_that_breaks_off_goes_on_after_its_last_page(fake: inbox.Inbox, there: str, is_async: bool) -> None:
    # Each page may be followed by as many tries as the first.
    fake.script = [[page("ab", "1"), AWAY], [page("c", "2"), AWAY], [page("", "3"), page("d", "4"), AWAY]]
    found = read(there, "failed", retry=1, is_async=is_async, limit=4)
    assert [one.path for one in found] == ["a", "b", "c", "d"]
    assert [(one.page_token, one.limit) for one in fake.requests] == [("", 4), ("1", 2), ("2", 1)]
    fake.script = [[page("a", ""), AWAY]]
    assert len(read(there, "failed", retry=1, is_async=is_async)) == 1, "the last page ends the listing"


def test_a_replay_that_breaks_off_goes_on_and_counts_everything(fake: inbox.Inbox, there: str, is_async: bool) -> None:
    fake.script = [
        [STARTED, replayed("a"), replayed("b"), progress(2, "1"), AWAY],
        # An instance that shuts down.
        [STARTED, replayed("c"), finished(1, "2")],
        [STARTED, replayed("d"), progress(1, "3"), finished(1)],
    ]
    events = read(there, "replay", retry=1, is_async=is_async, all=True, limit=9)
    kinds = [type(event) for event in events]
    assert kinds == [
        ReplayStarted,
        *[ReplayedObject] * 2,
        ReplayProgress,
        *[ReplayedObject] * 2,
        ReplayProgress,
        ReplayFinished,
    ]
    assert events[-1].counts.replayed == 4
    assert events[-2].scanned == 3
    assert [(one.page_token, one.limit, one.all) for one in fake.requests] == [
        ("", 9, True),
        ("1", 7, True),
        ("2", 6, True),
    ]


def test_a_replay_ends_at_its_limit(fake: inbox.Inbox, there: str, is_async: bool) -> None:
    fake.script = [[STARTED, replayed("a"), finished(1, "1")]]
    *_, last = read(there, "replay", retry=1, is_async=is_async, all=True, limit=1)
    assert last.next_page_token == "1"
    assert len(fake.requests) == 1


def test_a_watch_goes_on_with_another_instance(fake: inbox.Inbox, there: str, is_async: bool) -> None:
    fake.script = [[SNAPSHOT, HEARTBEAT, inbox_pb2.WatchEventsResponse(), AWAY], [SNAPSHOT, MISSED]]
    events = [one.event for one in read(there, "watch", retry=1, is_async=is_async)]
    assert events == [InFlightSnapshot(count=3), InFlightSnapshot(count=3), Missed(7)]


def test_without_retry_a_stream_that_breaks_off_is_an_error(fake: inbox.Inbox, there: str, is_async: bool) -> None:
    for call, arguments in (("failed", {}), ("replay", {"all": True}), ("watch", {})):
        fake.script = [[AWAY]]
        with pytest.raises(errors.Unavailable, match="its own words"):
            read(there, call, retry=0, is_async=is_async, **arguments)


def test_an_account_without_the_right_learns_which_setting_gives_it(
    fake: inbox.Inbox, there: str, is_async: bool
) -> None:
    fake.script = [[grpc.StatusCode.PERMISSION_DENIED]]
    with pytest.raises(errors.PermissionDenied, match=r"BRIGADE_READERS.*BRIGADE_OPERATORS"):
        read(there, "failed", retry=1, is_async=is_async)
    fake.script = [[grpc.StatusCode.FAILED_PRECONDITION]]
    with pytest.raises(errors.FailedPrecondition):
        read(there, "failed", retry=1, is_async=is_async)


def test_status_is_asked_again_and_a_time_without_a_zone_is_of_this_machine(fake: inbox.Inbox, there: str) -> None:
    fake.script = [[AWAY], [inbox_pb2.GetStatusResponse(inbox="gs://b/in/")]]
    when = datetime(2026, 11, 26, 8, 30)
    with connect(there, credentials=ANONYMOUS, retry=1) as poller:
        assert poller.status(since=when).inbox == "gs://b/in/"
    assert fake.requests[0].since.ToDatetime(tzinfo=timezone.utc) == when.astimezone(timezone.utc)
