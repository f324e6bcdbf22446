"""Google's Pub/Sub emulator pushes to the poller."""

import contextlib

from google.cloud import pubsub_v1

from deployed import BUCKET, Deployed
from pubsub import PubSub

OBJECTS = 500
# What the poller logs of an event.
ACKNOWLEDGED = '"acknowledged"'
AWAY = "not acknowledged"


@contextlib.contextmanager
def topic_with_push(monkeypatch, endpoint):
    """A topic whose messages are pushed there; `publish(**attributes)` publishes one."""
    with PubSub() as emulator:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{emulator.port}")
        publisher = pubsub_v1.PublisherClient()
        with pubsub_v1.SubscriberClient() as subscriber:
            topic = publisher.topic_path("brigade-dev", "uploads")
            publisher.create_topic(name=topic)
            subscriber.create_subscription(
                name=subscriber.subscription_path("brigade-dev", "pushes"),
                topic=topic,
                push_config=pubsub_v1.types.PushConfig(push_endpoint=endpoint),
                ack_deadline_seconds=60,
            )
            yield lambda **attributes: publisher.publish(topic, b"", **attributes)


def notification(blob):
    """What Cloud Storage sends about a new object: https://cloud.google.com/storage/docs/pubsub-notifications"""
    return {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": BUCKET,
        "objectId": blob.name,
        "objectGeneration": str(blob.generation),
        "payloadFormat": "NONE",
        "eventTime": blob.time_created.isoformat(),
        "notificationConfig": f"projects/_/buckets/{BUCKET}/notificationConfigs/1",
    }


def test_500_objects_announced_twice_are_settled_once(monkeypatch, tmp_path):
    with Deployed({"/events": "pubsub"}, tmp_path) as system:
        uploaded = system.upload(OBJECTS)
        with topic_with_push(monkeypatch, f"{system.url}/events") as publish:
            sent = [publish(**notification(blob)) for blob in uploaded for _ in range(2)]
            assert len({one.result() for one in sent}) == 2 * OBJECTS
            system.wait_until_said(ACKNOWLEDGED, 2 * OBJECTS, timeout=120)
            system.check_settled_once(uploaded)
            # One more that comes late finds nothing to do.
            publish(**notification(uploaded[0])).result()
            system.wait_until_said(ACKNOWLEDGED, 2 * OBJECTS + 1, timeout=60)
        system.check_settled_once(uploaded)


def test_what_comes_while_the_worker_is_away_is_delivered_again(monkeypatch, tmp_path):
    with Deployed({"/events": "pubsub"}, tmp_path) as system:
        system.worker.stop()
        uploaded = system.upload(20)
        with topic_with_push(monkeypatch, f"{system.url}/events") as publish:
            for blob in uploaded:
                publish(**notification(blob)).result()
            system.wait_until_said(AWAY, 20, timeout=60)
            assert len(system.names("incoming")) == 20
            system.start_worker()
            system.wait_until_said(ACKNOWLEDGED, 20, timeout=60)
        system.check_settled_once(uploaded)
