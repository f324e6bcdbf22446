"""Google's own Pub/Sub emulator, as a process."""

import os
import shutil
from pathlib import Path

import pytest
from running import Process, free_port

# Where the packages of Google's SDK put it, beside what `gcloud` itself says.
ROOTS = ["/usr/lib/google-cloud-sdk", "/usr/share/google-cloud-sdk", "/opt/google-cloud-sdk", "~/google-cloud-sdk"]


def missing(why):
    """Skips the test, and says why; on GitHub, where the workflow installs all, it fails."""
    if os.environ.get("GITHUB_ACTIONS"):
        pytest.fail(why)
    pytest.skip(why)


def jar():
    """The emulator's jar: PUBSUB_EMULATOR_JAR, or the SDK's component."""
    if named := os.environ.get("PUBSUB_EMULATOR_JAR"):
        return named
    roots = [Path(root).expanduser() for root in ROOTS]
    if gcloud := shutil.which("gcloud"):
        roots.insert(0, Path(gcloud).resolve().parents[1])
    for root in roots:
        for found in sorted(root.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar")):
            return str(found)
    missing(
        "the Pub/Sub emulator is not on this machine, and no registry has it: install the Cloud SDK's component "
        "(`gcloud components install pubsub-emulator`, or the package google-cloud-cli-pubsub-emulator), or name its jar "
        "with PUBSUB_EMULATOR_JAR"
    )


class PubSub(Process):
    """The emulator, listening."""

    def __init__(self):
        java = shutil.which("java")
        if java is None:
            missing("the Pub/Sub emulator needs Java, and there is none")
        self.port = free_port()
        super().__init__([java, "-Xmx512m", "-jar", jar(), "--host=127.0.0.1", f"--port={self.port}"])
        self.wait_for_port(self.port)
