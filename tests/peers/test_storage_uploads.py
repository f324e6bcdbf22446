"""Google's Python client writes into the emulator: simple, multipart and resumable uploads."""

import base64
import gzip
import io
import os

import google_crc32c
import pytest
import requests
from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed
from google.cloud.storage import transfer_manager
from google.cloud.storage._media.requests import SimpleUpload
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

CHUNK = 256 * 1024
BYTES = bytes(range(256)) * 4096  # 1 MiB


def crc32c(content):
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def check(blob, content):
    """The server has these bytes, and the sums it tells are theirs."""
    blob.reload()
    assert blob.size == len(content)
    assert blob.crc32c == crc32c(content)
    assert blob.download_as_bytes() == content


def test_a_string_is_uploaded_in_one_request(bucket, prefix):
    blob = bucket.blob(prefix + "a.csv")
    blob.upload_from_string("day,reaction_ms\n0,249.56\n", content_type="text/csv")
    assert (blob.content_type, blob.metageneration) == ("text/csv", 1)
    assert blob.generation > 0
    assert blob.time_created == blob.updated
    check(blob, b"day,reaction_ms\n0,249.56\n")


def test_an_empty_object_is_an_object(bucket, prefix):
    blob = bucket.blob(prefix + "empty")
    blob.upload_from_string(b"")
    check(blob, b"")


@pytest.mark.parametrize("checksum", ["auto", "crc32c", "md5", None])
def test_the_sums_that_the_client_sends_are_accepted(bucket, prefix, checksum):
    blob = bucket.blob(prefix + "summed")
    blob.upload_from_string(BYTES, checksum=checksum)
    check(blob, BYTES)


@pytest.mark.parametrize("sums", [{"crc32c": "AAAAAA=="}, {"md5Hash": base64.b64encode(bytes(16)).decode()}])
def test_a_wrong_sum_is_refused_and_nothing_is_there(bucket, prefix, sums):
    blob = bucket.blob(prefix + "wrong")
    for name, value in sums.items():
        blob._patch_property(name, value)
    with pytest.raises(BadRequest):
        blob.upload_from_string(b"content", checksum=None)
    assert not blob.exists()


def test_metadata_and_types_arrive_with_the_content(bucket, prefix):
    blob = bucket.blob(prefix + "typed")
    blob.metadata = {"subject": "308", "name": "Zoë ☃"}
    blob.cache_control = "no-store"
    blob.content_language = "en"
    blob.content_disposition = 'attachment; filename="a.csv"'
    blob.upload_from_string(b"x", content_type="text/csv; charset=utf-8")
    read = bucket.get_blob(blob.name)
    assert read.metadata == {"subject": "308", "name": "Zoë ☃"}
    assert read.cache_control == "no-store"
    assert read.content_language == "en"
    assert read.content_disposition == 'attachment; filename="a.csv"'
    assert read.content_type == "text/csv; charset=utf-8"


def test_a_file_is_uploaded_by_its_name(bucket, prefix, tmp_path):
    path = tmp_path / "subject-308.csv"
    path.write_bytes(BYTES)
    blob = bucket.blob(prefix + path.name)
    blob.upload_from_filename(path)
    assert blob.content_type == "text/csv"
    check(blob, BYTES)


def test_a_name_that_is_taken_is_kept_when_it_must_be_free(bucket, prefix):
    blob = bucket.blob(prefix + "once")
    blob.upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob(blob.name).upload_from_string(b"second", if_generation_match=0)
    check(blob, b"first")


def test_a_generation_is_replaced_only_when_it_is_the_one_meant(bucket, prefix):
    blob = bucket.blob(prefix + "replaced")
    blob.upload_from_string(b"first")
    first = blob.generation
    blob.upload_from_string(b"second", if_generation_match=first)
    assert blob.generation > first
    with pytest.raises(PreconditionFailed):
        bucket.blob(blob.name).upload_from_string(b"third", if_generation_match=first)
    check(bucket.blob(blob.name), b"second")


def test_uploads_to_no_bucket_are_not_found(client):
    with pytest.raises(NotFound):
        client.bucket("there-is-none").blob("x").upload_from_string(b"x")


def media_url(client, bucket, kind):
    return f"{client.api_endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType={kind}"


def test_the_simple_upload_of_the_media_library(client, bucket, prefix):
    upload = SimpleUpload(media_url(client, bucket, "media") + f"&name={prefix}simple")
    answer = upload.transmit(requests.Session(), BYTES, "application/x-thing")
    assert answer.json()["contentType"] == "application/x-thing"
    check(bucket.blob(prefix + "simple"), BYTES)


def test_a_stream_of_unknown_length_becomes_a_resumable_upload(bucket, prefix):
    blob = bucket.blob(prefix + "stream")
    with gzip.open(io.BytesIO(gzip.compress(BYTES))) as stream:
        blob.upload_from_file(stream)
    check(blob, BYTES)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK])
def test_chunks_of_a_resumable_upload_make_one_object(bucket, prefix, size):
    blob = bucket.blob(prefix + f"chunked-{size}", chunk_size=CHUNK)
    blob.metadata = {"size": str(size)}
    blob.upload_from_file(io.BytesIO(BYTES[:size]), content_type="application/x-thing")
    assert blob.metadata == {"size": str(size)}
    assert blob.content_type == "application/x-thing"
    blob.chunk_size = None
    check(blob, BYTES[:size])


def test_a_file_above_the_clients_limit_is_uploaded_resumably(bucket, prefix):
    content = os.urandom(9 * 1024 * 1024)
    blob = bucket.blob(prefix + "large")
    blob.upload_from_file(io.BytesIO(content), size=len(content))
    check(blob, content)


def test_a_resumable_upload_ends_only_when_its_condition_holds(bucket, prefix):
    blob = bucket.blob(prefix + "raced", chunk_size=CHUNK)
    blob.upload_from_string(b"first")
    with pytest.raises(PreconditionFailed):
        blob.upload_from_file(io.BytesIO(BYTES), if_generation_match=0)
    check(bucket.blob(blob.name), b"first")


class LosesAnswers(HTTPAdapter):
    """A network on which these requests with content arrive, counted from 1, and their answers do not."""

    def __init__(self, lost):
        super().__init__()
        self.lost, self.sent = lost, 0

    def send(self, request, **more):
        answer = super().send(request, **more)
        self.sent += request.method == "PUT"
        if request.method == "PUT" and self.sent in self.lost:
            raise requests.ConnectionError("the answer is lost")
        return answer


@pytest.mark.parametrize("lost", [{1}, {2}, {4}, {1, 2, 3}])
def test_a_session_goes_on_where_it_broke_off(client, bucket, prefix, lost):
    network = LosesAnswers(lost)
    client._http.mount(client.api_endpoint, network)
    blob = bucket.blob(prefix + "resumed", chunk_size=CHUNK)
    blob.upload_from_file(io.BytesIO(BYTES), retry=DEFAULT_RETRY.with_delay(initial=0.01))
    assert network.sent > 4
    blob.chunk_size = None
    check(blob, BYTES)
    assert blob.metageneration == 1


def test_a_session_may_be_opened_here_and_used_elsewhere(bucket, prefix):
    blob = bucket.blob(prefix + "session")
    url = blob.create_resumable_upload_session(content_type="text/csv", size=5)
    assert requests.put(url, data=b"a,b\n1").status_code == 200
    check(blob, b"a,b\n1")
    assert blob.content_type == "text/csv"


def test_a_writer_writes_an_object(bucket, prefix):
    blob = bucket.blob(prefix + "written")
    with blob.open("wb", chunk_size=CHUNK, retry=DEFAULT_RETRY) as writer:
        for at in range(0, len(BYTES), 100_000):
            writer.write(BYTES[at : at + 100_000])
    check(blob, BYTES)
    with bucket.blob(prefix + "text").open("w") as writer:
        writer.write("Zoë\n")
    assert bucket.blob(prefix + "text").download_as_text() == "Zoë\n"


def test_many_files_are_uploaded_at_once(bucket, prefix, tmp_path):
    names = [f"{number}.csv" for number in range(20)]
    for name in names:
        (tmp_path / name).write_text(name)
    done = transfer_manager.upload_many_from_filenames(
        bucket,
        names,
        source_directory=str(tmp_path),
        blob_name_prefix=prefix,
        worker_type=transfer_manager.THREAD,
        raise_exception=True,
    )
    assert done == [None] * len(names)
    assert bucket.blob(prefix + "7.csv").download_as_bytes() == b"7.csv"
