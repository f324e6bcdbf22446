"""The poller as it is deployed: behind a front end, called by other services' accounts, before a worker that counts."""

from collections import Counter
from pathlib import Path

import requests
from google.cloud import storage

from running import Emulator, Process, brigade, free_port, until

BUCKET = "brigade-dev"

# Kills the process of a worker that looks at it. It is asked about first, so that others are accepted afterwards.
POISON = "000-takes-all-memory.csv"


def account(name):
    """Its email, in the emulator's project."""
    return f"{name}@brigade-dev.iam.gserviceaccount.com"


class Deployed:
    """The emulator, the poller on one instance, and a worker.

    `callers` are accounts by path: the front end adds the account's token to a call on that path without one, as emulators
    send it. The worker is ours, and writes each of its calls into `scratch`; or `http_worker(port, env)` starts an HTTP
    worker behind a front end that lets only the poller in, or `grpc_worker(port, env)` a gRPC worker without a front end.
    """

    def __init__(self, callers, scratch: Path = None, http_worker=None, grpc_worker=None, settings=None):
        self.calls = scratch and scratch / "calls"
        self.running = []
        poller, worker = free_port(), free_port()
        self.worker_port = worker
        admitted = [f"invoker={caller},push={path}:{caller}" for path, caller in callers.items()]
        front_ends = [",".join([f"poller={poller}", *admitted])]
        if http_worker:
            front_ends.append(f"worker={worker},http1,invoker=default")
        try:
            options = [option for front_end in front_ends for option in ("--front-end", front_end)]
            self.google = self._start(Emulator("--memory", "--bucket", BUCKET, *options))
            for _ in front_ends:
                self.google.export()
            self.url = self.google.env.pop("POLLER_URL")
            env = self.google.env
            if http_worker:
                # WORKER_URL is the front end's.
                self.worker = self._start(http_worker(worker, env))
                env = env | {"BRIGADE_WORKER_PROTOCOL": "http"}
            else:
                if grpc_worker:
                    self.worker = self._start(grpc_worker(worker, env))
                else:
                    self.start_worker()
                env = env | {"WORKER_URL": f"http://127.0.0.1:{worker}"}
            self.poller = self._start(self._poller(poller, callers.values(), env | (settings or {})))
        except BaseException:
            self.stop()
            raise
        self.client = storage.Client(
            client_options={"api_endpoint": env["STORAGE_EMULATOR_HOST"]}, use_auth_w_custom_endpoint=False
        )
        self.bucket = self.client.bucket(BUCKET)

    def _start(self, process):
        self.running.append(process)
        return process

    def start_worker(self):
        """Starts ours, or starts it again."""
        self.worker = self._start(self._counting_worker(self.worker_port, self.google.env))

    def _counting_worker(self, port, env):
        # One short line, appended in one write, stays whole beside those of other calls.
        note = f"sh -c 'echo \"$OBJECT_NAME#$OBJECT_GENERATION\" >> {self.calls}'"
        settings = {
            "PORT": port,
            "BRIGADE_BIND": "127.0.0.1",
            "BRIGADE_AUDIENCE": f"http://127.0.0.1:{port}",
            "BRIGADE_ALLOWED_CALLERS": account("default"),
            "RUST_LOG": "warn",
        }
        return Process([brigade(), "worker", "--exec", note], env=env | settings).wait_for_port(port)

    def _poller(self, port, callers, env):
        settings = {
            "PORT": port,
            "BRIGADE_BIND": "127.0.0.1",
            "BRIGADE_INBOX": f"gs://{BUCKET}/incoming/",
            # As on Cloud Run: the front end removes the signature, and the poller proves that the front end is there.
            "K_SERVICE": "poller",
            "BRIGADE_AUTH": "platform",
            "BRIGADE_PUBLIC_URL": self.url,
            "BRIGADE_AUDIENCE": self.url,
            "BRIGADE_ALLOWED_CALLERS": ",".join(account(caller) for caller in callers),
            # A line for each event that is acknowledged.
            "RUST_LOG": "info,brigade_poller::trigger=debug",
        }
        return Process([brigade(), "poller"], env=settings | env).wait_for_port(port)

    def post_poll(self):
        """`POST /poll`, as Cloud Scheduler does; the response."""
        return requests.post(f"{self.url}/poll", json={}, timeout=60)

    def poll(self):
        """The summary of a poll that ends well."""
        answer = self.post_poll()
        assert answer.status_code == 200, answer.text
        return answer.json()

    def poll_that_stops(self):
        """What the poller says about a poll that an operator's fix has to precede."""
        answer = self.post_poll()
        assert answer.status_code == 500, answer.text
        return answer.json()["error"]

    def reason(self, name):
        """Why an object is in failed/."""
        return self.bucket.get_blob(f"failed/{name}").metadata["brigade-reason"]

    def upload(self, count):
        """Objects for the inbox; each as Google's client returns it."""
        made = []
        for number in range(count):
            blob = self.bucket.blob(f"incoming/{number:03}.csv")
            blob.upload_from_string(f"{number}\n")
            made.append(blob)
        return made

    def names(self, folder):
        return [blob.name.removeprefix(f"{folder}/") for blob in self.bucket.list_blobs(prefix=f"{folder}/")]

    def wait_until_said(self, what, count, timeout):
        """Waits until the poller has logged this so often since its start."""

        def said():
            return sum(what in line for line in list(self.poller.log)) >= count

        try:
            until(what, said, timeout=timeout, every=0.5)
        except AssertionError:
            self.poller.fail(f"has not said {what} {count} times after {timeout} s")

    def called(self):
        """The worker's calls, as `name#generation`."""
        return self.calls.read_text().splitlines()

    def check_settled_once(self, uploaded):
        """Every object is in processed/ with its content, nothing is elsewhere, and the worker was called once for each."""
        calls = Counter(self.called())
        assert {call: times for call, times in calls.items() if times > 1} == {}, "the worker was called more than once"
        assert set(calls) == {f"{blob.name}#{blob.generation}" for blob in uploaded}
        names = [blob.name.removeprefix("incoming/") for blob in uploaded]
        assert self.names("processed") == names
        assert self.names("incoming") == self.names("failed") == []
        for number, name in enumerate(names):
            assert self.bucket.blob(f"processed/{name}").download_as_bytes() == f"{number}\n".encode()

    def stop(self):
        for process in reversed(self.running):
            process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def check_poison(system):
    """Polls until the inbox is empty: 60 files pass within 3 polls, and the one that kills the worker fails within 8."""
    polls = 0
    while system.names("incoming"):
        assert polls < 8, system.bucket.get_blob(f"incoming/{POISON}").metadata
        # A poll may end because the worker is away.
        assert system.post_poll().status_code in (200, 503)
        polls += 1
        assert polls < 3 or len(system.names("processed")) == 60
    assert (len(system.names("processed")), system.names("failed")) == (60, [POISON])
    assert "ended 5 times while this file was the only one at work" in system.reason(POISON)
    assert system.worker.starts <= 9
