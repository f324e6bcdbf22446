"""A Cloud Tasks emulator delivers to the poller."""

import json

from deployed import Deployed
from tasks import Tasks

OBJECTS = 500


def test_500_tasks_each_in_two_queues_settle_their_objects_once(tmp_path):
    with Deployed("tasks", "/process", tmp_path) as system, Tasks("one", "two") as tasks:
        uploaded = system.upload(OBJECTS)
        for blob in uploaded:
            body = json.dumps({"bucket": blob.bucket.name, "name": blob.name, "generation": str(blob.generation)})
            # Two queues deliver the same object at about the same time, to one instance.
            for queue in tasks.queues:
                tasks.create(queue, f"{system.url}/process", body.encode())
        tasks.wait_until_delivered(timeout=90)
        system.check_settled_once(uploaded)
