"""A Cloud Tasks emulator delivers to the poller."""

import json

from deployed import Deployed, account
from tasks import Tasks

OBJECTS = 500


def test_500_tasks_each_in_two_queues_settle_their_objects_once(tmp_path):
    with Deployed({"/process": "tasks"}, tmp_path) as system, Tasks("one", "two") as tasks:
        uploaded = system.upload(OBJECTS)
        for blob in uploaded:
            body = json.dumps({"bucket": blob.bucket.name, "name": blob.name, "generation": str(blob.generation)})
            # Two queues deliver the same object at about the same time, to one instance.
            for queue in tasks.queues:
                tasks.create(queue, f"{system.url}/process", body.encode())
        tasks.wait_until_delivered(timeout=120)
        system.check_settled_once(uploaded)


def test_500_objects_that_two_polls_put_into_a_queue_are_settled_once(tmp_path):
    with Tasks("objects") as tasks:
        settings = {
            "BRIGADE_DISPATCH": "tasks",
            "BRIGADE_TASKS_QUEUE": tasks.queues[0],
            "BRIGADE_TASKS_ACCOUNT": account("tasks"),
            "BRIGADE_TASKS_ENDPOINT": f"http://127.0.0.1:{tasks.port}",
        }
        callers = {"/poll": "scheduler", "/process": "tasks"}
        with Deployed(callers, tmp_path, settings=settings) as system:
            uploaded = system.upload(OBJECTS)
            assert system.poll()["counts"]["enqueued"] == str(OBJECTS)
            # The service refuses a name that was used. The emulator does not, so what is still there comes twice.
            assert int(system.poll()["counts"]["enqueued"]) > 0
            tasks.wait_until_delivered(timeout=120)
            system.check_settled_once(uploaded)
