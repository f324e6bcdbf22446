"""gcsfs, the file system of Dask and pandas, on the emulator: multipart with bare line feeds, chunks by POST."""

import itertools
import os

import pytest

from conftest import BUCKET

CHUNK = 2**18  # the smallest block of a resumable upload
numbers = itertools.count(1)


@pytest.fixture
def fs(emulator):
    # It would ask Google itself, by another API, what kind of bucket this is.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    from gcsfs import GCSFileSystem

    return GCSFileSystem(
        project="brigade-dev",
        token="anon",
        endpoint_url=emulator.env["STORAGE_EMULATOR_HOST"],
        skip_instance_cache=True,
        use_listings_cache=False,
    )


@pytest.fixture
def folder():
    return f"{BUCKET}/gcsfs-{next(numbers)}"


def test_what_is_piped_is_listed_and_read(fs, folder):
    fs.pipe(f"{folder}/day.csv", b"day\r\n1\r\n")
    fs.pipe({f"{folder}/d/a": b"a", f"{folder}/d/empty": b""})
    assert fs.ls(folder) == [f"{folder}/d", f"{folder}/day.csv"]
    assert fs.find(folder) == [f"{folder}/d/a", f"{folder}/d/empty", f"{folder}/day.csv"]
    assert fs.cat(f"{folder}/day.csv") == b"day\r\n1\r\n"
    assert fs.cat_file(f"{folder}/day.csv", start=1, end=3) == b"ay"
    assert fs.cat(f"{folder}/d/empty") == b""
    info = fs.info(f"{folder}/day.csv")
    assert (info["size"], info["type"]) == (8, "file")
    assert fs.isdir(f"{folder}/d") and not fs.exists(f"{folder}/none")
    with pytest.raises(FileNotFoundError):
        fs.cat(f"{folder}/none")


def test_a_large_file_is_written_in_chunks(fs, folder):
    content = bytes(range(256)) * (5 * CHUNK // 256) + b"end"
    with fs.open(f"{folder}/large", "wb", block_size=CHUNK) as writer:
        for at in range(0, len(content), 100_000):
            writer.write(content[at : at + 100_000])
    assert fs.cat(f"{folder}/large") == content
    with fs.open(f"{folder}/large", "rb", block_size=CHUNK) as reader:
        reader.seek(3 * CHUNK)
        assert reader.read() == content[3 * CHUNK :]


def test_files_are_put_and_got(fs, folder, tmp_path):
    content = bytes(range(256)) * 8192  # 2 MiB
    (tmp_path / "here").write_bytes(content)
    fs.put(str(tmp_path / "here"), f"{folder}/there", chunksize=CHUNK)
    fs.get(f"{folder}/there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content


def test_files_are_copied_moved_and_removed(fs, folder):
    fs.pipe(f"{folder}/in/a", b"a")
    fs.cp(f"{folder}/in/a", f"{folder}/copy")
    fs.mv(f"{folder}/in/a", f"{folder}/out/a")
    assert fs.find(folder) == [f"{folder}/copy", f"{folder}/out/a"]
    assert fs.cat(f"{folder}/out/a") == b"a"
    fs.rm(folder, recursive=True)
    assert fs.find(folder) == []


def test_attributes_are_written_and_changed(fs, folder):
    fs.pipe_file(f"{folder}/a", b"a", content_type="text/csv", metadata={"team": "data"})
    assert fs.getxattr(f"{folder}/a", "team") == "data"
    fs.setxattrs(f"{folder}/a", team="ops")
    assert fs.getxattr(f"{folder}/a", "team") == "ops"
    assert fs.info(f"{folder}/a")["contentType"] == "text/csv"


def test_what_is_there_is_not_replaced_by_an_exclusive_write(fs, folder):
    fs.pipe(f"{folder}/a", b"first")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{folder}/a", b"second", mode="create")
    assert fs.cat(f"{folder}/a") == b"first"
