"""A Cloud Tasks emulator, as a process. It needs older libraries than the tests, so it has its own environment."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from running import Process, free_port, until

LOCATION = "projects/brigade-dev/locations/local"


def program():
    """The emulator's command: TASKS_EMULATOR names it."""
    named = os.environ.get("TASKS_EMULATOR")
    if not named:
        raise SystemExit(
            "TASKS_EMULATOR must name the Cloud Tasks emulator's command: install requirements-tasks.txt into an "
            "environment of its own, and take its bin/gcloud-tasks-emulator"
        )
    return named


class Tasks(Process):
    """The emulator, listening, and Google's client for it. Each queue delivers its tasks one after another."""

    def __init__(self, *queues):
        self.port = free_port()
        self.queues = [f"{LOCATION}/queues/{queue}" for queue in queues]
        named = [argument for queue in self.queues for argument in ("--default-queue", queue)]
        super().__init__([program(), "start", "--quiet", "--port", str(self.port), *named])
        self.wait_for_port(self.port)
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))

    def create(self, queue, url, body, name=None):
        task = tasks_v2.Task(
            name=f"{queue}/tasks/{name}" if name else "",
            http_request=tasks_v2.HttpRequest(url=url, body=body, headers={"content-type": "application/json"}),
        )
        self.client.create_task(parent=queue, task=task)

    def waiting(self):
        """Tasks that no queue has delivered yet."""
        return sum(len(list(self.client.list_tasks(parent=queue))) for queue in self.queues)

    def wait_until_delivered(self, timeout):
        """Waits until every task has a final answer."""
        until("the queues are empty", lambda: self.waiting() == 0, timeout=timeout, every=0.5)
        # The last one of each queue may still be on its way. A queue delivers one after another: the next one tells.
        arrived = threading.Semaphore(0)

        class Last(BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_response(204)
                self.end_headers()
                arrived.release()

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Last) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            for queue in self.queues:
                self.create(queue, f"http://127.0.0.1:{server.server_port}/", b"{}")
            for _ in self.queues:
                if not arrived.acquire(timeout=timeout):
                    self.fail("did not deliver its last tasks")
            server.shutdown()
