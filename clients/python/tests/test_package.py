"""What is installed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib import metadata, resources

import bucket_brigade_client
from bucket_brigade_client import Object, ProcessRequest


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("bucket_brigade_client").joinpath("py.typed").is_file()
    assert metadata.version("bucket-brigade-client") == bucket_brigade_client.__version__


def test_the_import_leaves_what_fetches_tokens_for_the_first_call() -> None:
    """It is more than half of the time that the import would take."""
    heavy = "import sys, bucket_brigade_client; print([m for m in ('google.auth', 'requests') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_import_alone_leaves_grpc_and_the_messages_for_the_first_name() -> None:
    """They are nearly all of its time."""
    loaded = (
        "import sys, bucket_brigade_client as b; heavy = ('grpc', 'google.protobuf', 'asyncio');"
        "print([m for m in heavy if m in sys.modules]); b.connect; print('grpc' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True"]


def test_every_public_name_is_found_and_no_other() -> None:
    for name in bucket_brigade_client.__all__:
        assert getattr(bucket_brigade_client, name) is not None
        assert name in dir(bucket_brigade_client)
    assert not hasattr(bucket_brigade_client, "nothing")


def test_messages_travel_between_processes() -> None:
    request = ProcessRequest(object=Object(bucket="b", name="n", generation=1).to_message(), attempt=2)
    assert pickle.loads(pickle.dumps(request)) == request
