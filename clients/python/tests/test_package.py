"""What is installed."""

from __future__ import annotations

import pickle
from importlib import metadata, resources

from bucket_brigade_client import Object, ProcessRequest


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("bucket_brigade_client").joinpath("py.typed").is_file()
    assert metadata.version("bucket-brigade-client")


def test_messages_travel_between_processes() -> None:
    request = ProcessRequest(object=Object(bucket="b", name="n", generation=1), attempt=2)
    assert pickle.loads(pickle.dumps(request)) == request
