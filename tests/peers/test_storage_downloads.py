"""Google's Python client reads from the emulator."""

import gzip
import io

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed, RequestRangeNotSatisfiable
from google.cloud.storage import transfer_manager

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def blob(bucket, prefix):
    made = bucket.blob(prefix + "content")
    made.upload_from_string(CONTENT)
    return bucket.blob(made.name)


def test_every_way_to_download_gives_the_same_bytes(blob, client, tmp_path):
    assert blob.download_as_bytes() == CONTENT
    into = io.BytesIO()
    blob.download_to_file(into)
    assert into.getvalue() == CONTENT
    blob.download_to_filename(tmp_path / "content")
    assert (tmp_path / "content").read_bytes() == CONTENT
    into = io.BytesIO()
    client.download_blob_to_file(f"gs://{blob.bucket.name}/{blob.name}", into)
    assert into.getvalue() == CONTENT
    assert blob.download_as_bytes(raw_download=True) == CONTENT
    assert blob.download_as_bytes(checksum="md5") == CONTENT
    assert blob.download_as_bytes(single_shot_download=True) == CONTENT


def test_chunks_of_a_download_make_the_whole(blob):
    blob.chunk_size = 256 * 1024
    assert blob.download_as_bytes() == CONTENT


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (0, 0, slice(0, 1)),
        (5, 9, slice(5, 10)),
        (1_048_000, None, slice(1_048_000, None)),
        (1_048_000, 9_999_999, slice(1_048_000, None)),
        (-10, None, slice(-10, None)),
    ],
)
def test_a_range_is_a_part(blob, start, end, wanted):
    assert blob.download_as_bytes(start=start, end=end) == CONTENT[wanted]


def test_a_range_behind_the_end_is_refused(blob):
    with pytest.raises(RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=len(CONTENT))


def test_an_empty_object_is_downloaded(bucket, prefix, tmp_path):
    made = bucket.blob(prefix + "empty")
    made.upload_from_string(b"")
    assert made.download_as_bytes() == b""
    made.download_to_filename(tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


def test_text_and_lines_are_read_through_a_reader(bucket, prefix):
    made = bucket.blob(prefix + "text")
    made.upload_from_string("day\n0\nZoë\n", content_type="text/plain; charset=utf-8")
    assert made.download_as_text() == "day\n0\nZoë\n"
    with made.open("r", encoding="utf-8") as reader:
        assert list(reader) == ["day\n", "0\n", "Zoë\n"]


def test_a_reader_seeks(blob):
    with blob.open("rb", chunk_size=256 * 1024) as reader:
        reader.seek(700_000)
        assert reader.read(1000) == CONTENT[700_000:701_000]
        reader.seek(0)
        assert reader.read() == CONTENT


def test_what_is_not_there_is_not_found(client, bucket, prefix, tmp_path):
    for missing in (bucket.blob(prefix + "none"), client.bucket("there-is-none").blob("x")):
        with pytest.raises(NotFound):
            missing.download_as_bytes()
        with pytest.raises(NotFound):
            missing.download_to_filename(tmp_path / "none")
        assert not (tmp_path / "none").exists()


def test_a_generation_that_was_replaced_is_no_longer_read(bucket, prefix):
    made = bucket.blob(prefix + "replaced")
    made.upload_from_string(b"first")
    first = made.generation
    assert bucket.blob(made.name, generation=first).download_as_bytes() == b"first"
    made.upload_from_string(b"second")
    with pytest.raises(NotFound):
        bucket.blob(made.name, generation=first).download_as_bytes()
    with pytest.raises(PreconditionFailed):
        bucket.blob(made.name).download_as_bytes(if_generation_match=first)
    assert bucket.blob(made.name).download_as_bytes(if_generation_match=made.generation) == b"second"


def test_gzip_is_sent_as_it_lies_and_unpacked_by_the_client(bucket, prefix):
    packed = gzip.compress(CONTENT, mtime=0)
    made = bucket.blob(prefix + "packed")
    made.content_encoding = "gzip"
    made.upload_from_string(packed, content_type="text/csv")
    assert bucket.blob(made.name).download_as_bytes(raw_download=True) == packed
    assert bucket.blob(made.name).download_as_bytes() == CONTENT


def test_parts_are_downloaded_at_once(blob, tmp_path):
    transfer_manager.download_chunks_concurrently(
        blob, str(tmp_path / "content"), chunk_size=256 * 1024, worker_type=transfer_manager.THREAD
    )
    assert (tmp_path / "content").read_bytes() == CONTENT
