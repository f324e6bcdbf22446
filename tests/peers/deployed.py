"""The poller as it is deployed: behind a front end, called by other services' accounts, before a worker that counts."""

from pathlib import Path

from google.cloud import storage

from running import Emulator, Process, brigade, free_port, until

BUCKET = "brigade-dev"
DOMAIN = "brigade-dev.iam.gserviceaccount.com"


class Deployed:
    """The stand-in, the poller on one instance, and a worker that notes each of its calls.

    Whoever calls `path` without a token, as emulators do, gets the token of `caller` from the front end.
    """

    def __init__(self, scratch: Path, caller: str, path: str, settings=None):
        self.calls = scratch / "calls"
        self.running = []
        poller, worker = free_port(), free_port()
        try:
            self.google = self._start(
                Emulator("--memory", "--bucket", BUCKET, "--front-end", f"poller={poller},invoker={caller},push={path}:{caller}")
            )
            _, self.url = self.google.export()
            self._start_worker(worker)
            self._start_poller(poller, worker, caller, settings or {})
        except BaseException:
            self.stop()
            raise
        self.client = storage.Client(client_options={"api_endpoint": self.google.env["STORAGE_EMULATOR_HOST"]}, use_auth_w_custom_endpoint=False)
        self.bucket = self.client.bucket(BUCKET)

    def _start(self, process):
        self.running.append(process)
        return process

    def _start_worker(self, port):
        # One short line, appended in one write, stays whole beside those of other calls.
        note = f"sh -c 'echo \"$OBJECT_NAME#$OBJECT_GENERATION\" >> {self.calls}'"
        env = {
            "PORT": port,
            "BRIGADE_BIND": "127.0.0.1",
            "BRIGADE_AUDIENCE": f"http://127.0.0.1:{port}",
            "BRIGADE_ALLOWED_CALLERS": f"default@{DOMAIN}",
            "RUST_LOG": "warn",
        }
        self._start(Process([brigade(), "worker", "--exec", note], env=self.google.env | env)).wait_for_port(port)

    def _start_poller(self, port, worker, caller, settings):
        env = {
            "PORT": port,
            "BRIGADE_BIND": "127.0.0.1",
            "BRIGADE_INBOX": f"gs://{BUCKET}/incoming/",
            "WORKER_URL": f"http://127.0.0.1:{worker}",
            # As on Cloud Run: the front end takes the signature out, and the poller proves that it is there.
            "K_SERVICE": "poller",
            "BRIGADE_AUTH": "platform",
            "BRIGADE_PUBLIC_URL": self.url,
            "BRIGADE_AUDIENCE": self.url,
            "BRIGADE_ALLOWED_CALLERS": f"{caller}@{DOMAIN}",
            # A line for each event that is acknowledged.
            "RUST_LOG": "info,brigade_poller::trigger=debug",
        }
        self.poller = self._start(Process([brigade(), "poller"], env=self.google.env | env | settings))
        self.poller.wait_for_port(port)

    def upload(self, count):
        """Objects for the inbox; each as Google tells of it."""
        made = []
        for number in range(count):
            blob = self.bucket.blob(f"incoming/{number:03}.csv")
            blob.upload_from_string(f"{number}\n")
            made.append(blob)
        return made

    def names(self, folder):
        return [blob.name.removeprefix(f"{folder}/") for blob in self.bucket.list_blobs(prefix=f"{folder}/")]

    def wait_until_acknowledged(self, count, timeout):
        """Until so many events were acknowledged, since the poller began."""

        def acknowledged():
            return sum('"acknowledged"' in line for line in list(self.poller.log)) >= count

        try:
            until(f"{count} events are acknowledged", acknowledged, timeout=timeout, every=0.5)
        except AssertionError:
            self.poller.fail(f"has not acknowledged {count} events after {timeout} s")

    def called(self):
        """The worker's calls, as `name#generation`."""
        return self.calls.read_text().splitlines()

    def check_settled_once(self, uploaded):
        """Every object lies in processed/ with its content, nothing lies elsewhere, and the worker was called once for each."""
        wanted = sorted(f"{blob.name}#{blob.generation}" for blob in uploaded)
        assert sorted(self.called()) == wanted
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
