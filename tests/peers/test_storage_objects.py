"""Google's Python client lists, looks, copies, moves, changes and deletes in the emulator."""

import datetime

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError, NotFound, PreconditionFailed

ODD = [
    "a/../b",
    "./a",
    "//",
    "a//b",
    "%2F",
    "%2e%2e",
    "a?b",
    "a#123",
    "a*[x]?",
    "back\\slash",
    "tab\there",
    "esc\x1b[31m",
    "del\x7f",
    "nel\x85",
    "line\u2028",
    "rtl\u202e",
    "e\u0301",
    "\u00e9",
    "👩\u200d🚀",
    "a b+c",
    "-dash",
    "100%",
    "&x=1",
]


def put(bucket, name, content=b"x", **attributes):
    blob = bucket.blob(name)
    for key, value in attributes.items():
        setattr(blob, key, value)
    blob.upload_from_string(content)
    return blob


def names(blobs):
    return [blob.name for blob in blobs]


# Listing


def test_a_listing_has_what_begins_with_the_prefix_in_byte_order(client, bucket, prefix):
    for name in ["b", "a/2", "a/1", "a-", "B", "é"]:
        put(bucket, prefix + name)
    found = list(client.list_blobs(bucket, prefix=prefix))
    assert names(found) == [prefix + name for name in ["B", "a-", "a/1", "a/2", "b", "é"]]
    assert all(blob.size == 1 and blob.generation and blob.crc32c and blob.md5_hash for blob in found)
    assert names(bucket.list_blobs(prefix=prefix + "a/")) == [prefix + "a/1", prefix + "a/2"]
    assert names(bucket.list_blobs(prefix=prefix + "none")) == []


def test_a_delimiter_folds_names_into_prefixes(bucket, prefix):
    for name in ["x", "a/1", "a/2", "b/c/3"]:
        put(bucket, prefix + name)
    listing = bucket.list_blobs(prefix=prefix, delimiter="/")
    assert names(listing) == [prefix + "x"]
    assert listing.prefixes == {prefix + "a/", prefix + "b/"}


def test_a_page_follows_a_page_and_nothing_is_left_out(bucket, prefix):
    wanted = sorted(f"{prefix}{number:03}" for number in range(57))
    for name in wanted:
        put(bucket, name)
    listing = bucket.list_blobs(prefix=prefix, page_size=10)
    pages = [names(page) for page in listing.pages]
    assert [len(page) for page in pages] == [10, 10, 10, 10, 10, 7]
    assert sum(pages, []) == wanted
    assert names(bucket.list_blobs(prefix=prefix, max_results=13)) == wanted[:13]
    between = bucket.list_blobs(prefix=prefix, start_offset=wanted[20], end_offset=wanted[30])
    assert names(between) == wanted[20:30]


def test_a_listing_may_ask_for_some_fields_alone(bucket, prefix):
    put(bucket, prefix + "a")
    (found,) = bucket.list_blobs(prefix=prefix, fields="items(name,size),nextPageToken")
    assert (found.name, found.size) == (prefix + "a", 1)


def test_odd_names_are_bytes_like_any_other(memory_only, bucket, prefix):
    for name in ODD:
        put(bucket, prefix + name, name.encode())
    assert names(bucket.list_blobs(prefix=prefix)) == sorted((prefix + name for name in ODD), key=str.encode)
    for name in ODD:
        blob = bucket.get_blob(prefix + name)
        assert blob.name == prefix + name
        assert blob.download_as_bytes() == name.encode()
        bucket.copy_blob(blob, bucket, prefix + "copies/" + name)
        blob.delete()
    assert names(bucket.list_blobs(prefix=prefix)) == sorted((prefix + "copies/" + name for name in ODD), key=str.encode)


def test_a_directory_says_which_names_it_cannot_hold(emulator, bucket, prefix):
    if emulator.medium == "memory":
        pytest.skip("memory holds every name")
    for name in ["a/../b", "./a", "a//b"]:
        with pytest.raises(BadRequest, match="directory"):
            put(bucket, prefix + name)
    put(bucket, prefix + "a")
    with pytest.raises(BadRequest, match="directory"):
        put(bucket, prefix + "a/1")


@pytest.mark.parametrize("name", [".", "..", "a\nb", "a\rb", "x" * 1025, "\ud800"])
def test_names_that_no_object_can_have_are_refused(bucket, name):
    with pytest.raises((BadRequest, UnicodeEncodeError)):
        put(bucket, name)


# Looking


def test_a_look_tells_what_is_there(bucket, prefix):
    made = put(bucket, prefix + "a", b"abc", metadata={"k": "v"})
    found = bucket.get_blob(prefix + "a")
    assert (found.size, found.generation, found.metadata) == (3, made.generation, {"k": "v"})
    assert found.storage_class == "STANDARD"
    assert found.etag and found.id == f"{bucket.name}/{prefix}a/{made.generation}"
    assert found.exists() and not bucket.blob(prefix + "b").exists()
    assert bucket.get_blob(prefix + "b") is None
    with pytest.raises(NotFound):
        bucket.blob(prefix + "b").reload()
    with pytest.raises(PreconditionFailed):
        found.reload(if_generation_match=1)


def test_buckets_are_made_listed_and_deleted(client):
    made = client.create_bucket("made-by-the-client", project="brigade-dev")
    assert "made-by-the-client" in names(client.list_buckets(project="brigade-dev"))
    assert client.get_bucket(made.name).exists()
    put(made, "a")
    made.delete(force=True)
    assert client.lookup_bucket(made.name) is None
    with pytest.raises(NotFound):
        client.get_bucket(made.name)


# Copies and moves


def test_a_copy_has_the_content_and_the_metadata_and_a_generation_of_its_own(bucket, prefix):
    source = put(bucket, prefix + "a", b"abc", metadata={"k": "v"}, cache_control="no-store")
    copied = bucket.copy_blob(source, bucket, prefix + "b")
    assert copied.generation != source.generation
    assert (copied.metadata, copied.cache_control) == ({"k": "v"}, "no-store")
    assert copied.download_as_bytes() == source.download_as_bytes() == b"abc"


def test_a_copy_goes_to_another_bucket(client, bucket, prefix):
    other = client.create_bucket("another", project="brigade-dev")
    bucket.copy_blob(put(bucket, prefix + "a", b"abc"), other, "b")
    assert other.blob("b").download_as_bytes() == b"abc"
    other.delete(force=True)


def test_a_copy_keeps_its_conditions(bucket, prefix):
    source, taken = put(bucket, prefix + "a", b"new"), put(bucket, prefix + "b", b"old")
    for conditions in (
        {"if_generation_match": 0},
        {"if_generation_match": taken.generation + 1},
        {"if_source_generation_match": source.generation + 1},
        {"if_source_metageneration_match": 7},
    ):
        with pytest.raises(PreconditionFailed):
            bucket.copy_blob(source, bucket, taken.name, **conditions)
    with pytest.raises(NotFound):
        bucket.copy_blob(source, bucket, taken.name, source_generation=source.generation + 1)
    assert taken.download_as_bytes() == b"old"
    bucket.copy_blob(
        source, bucket, taken.name, if_generation_match=taken.generation, if_source_generation_match=source.generation
    )
    assert bucket.blob(taken.name).download_as_bytes() == b"new"


def test_a_rewrite_is_repeated_until_it_is_done(client, bucket, prefix):
    content = bytes(3 * 1024 * 1024)
    source = put(bucket, prefix + "a", content)
    copied = bucket.blob(prefix + "b")
    # Steps of 1 MiB, the smallest that Google takes. The client has no argument for it, so it is put into its calls.
    post = client._post_resource

    def in_steps(path, data, query_params=None, **more):
        return post(path, data, query_params={**(query_params or {}), "maxBytesRewrittenPerCall": 1024 * 1024}, **more)

    client._post_resource = in_steps
    token, done, steps = None, 0, []
    while not steps or token is not None:
        token, done, total = copied.rewrite(source, token=token)
        steps.append(done)
        assert total == len(content)
        assert token is None or bucket.get_blob(copied.name) is None
    assert steps == [1024 * 1024, 2 * 1024 * 1024, 3 * 1024 * 1024]
    assert copied.download_as_bytes() == content


def test_a_rewrite_gives_new_metadata_and_keeps_its_conditions(bucket, prefix):
    source = put(bucket, prefix + "a", b"abc", metadata={"k": "v"})
    copied = bucket.blob(prefix + "b")
    copied.metadata = {"status": "failed"}
    copied.content_type = "text/csv"
    with pytest.raises(PreconditionFailed):
        copied.rewrite(source, if_source_generation_match=source.generation + 1)
    copied.rewrite(source, if_generation_match=0, if_source_generation_match=source.generation)
    found = bucket.get_blob(copied.name)
    assert (found.metadata, found.content_type) == ({"status": "failed"}, "text/csv")
    with pytest.raises(PreconditionFailed):
        bucket.blob(copied.name).rewrite(source, if_generation_match=0)


def test_a_storage_class_is_changed_by_a_rewrite_onto_itself(bucket, prefix):
    blob = put(bucket, prefix + "a", b"abc")
    blob.update_storage_class("NEARLINE")
    found = bucket.get_blob(blob.name)
    assert found.storage_class == "NEARLINE"
    assert found.download_as_bytes() == b"abc"


def test_a_rename_is_a_copy_and_a_deletion(bucket, prefix):
    renamed = bucket.rename_blob(put(bucket, prefix + "a", b"abc"), prefix + "b")
    assert renamed.download_as_bytes() == b"abc"
    assert names(bucket.list_blobs(prefix=prefix)) == [prefix + "b"]


def test_a_move_is_one_step_and_keeps_its_conditions(bucket, prefix):
    blob, taken = put(bucket, prefix + "a", b"abc"), put(bucket, prefix + "taken", b"old")
    with pytest.raises(PreconditionFailed):
        bucket.move_blob(blob, prefix + "b", if_source_generation_match=blob.generation + 1)
    with pytest.raises(PreconditionFailed):
        bucket.move_blob(blob, taken.name, if_generation_match=0)
    moved = bucket.move_blob(blob, prefix + "b", if_generation_match=0, if_source_generation_match=blob.generation)
    assert moved.download_as_bytes() == b"abc"
    assert names(bucket.list_blobs(prefix=prefix)) == [prefix + "b", taken.name]


# Changes


def test_a_patch_changes_what_it_names_and_nothing_else(bucket, prefix):
    blob = put(bucket, prefix + "a", metadata={"k": "v", "gone": "x"}, cache_control="no-store")
    blob.metadata = {"k": "w", "gone": None}
    blob.content_type = "text/csv"
    blob.patch()
    found = bucket.get_blob(blob.name)
    assert (found.metadata, found.content_type, found.cache_control) == ({"k": "w"}, "text/csv", "no-store")
    assert (found.generation, found.metageneration) == (blob.generation, 2)
    found.metadata = None
    found.patch()
    assert bucket.get_blob(blob.name).metadata is None


def test_a_patch_keeps_its_conditions(bucket, prefix):
    blob = put(bucket, prefix + "a", metadata={"k": "v"})
    generation = blob.generation
    for conditions in (
        {"if_generation_match": generation + 1},
        {"if_generation_match": 0},
        {"if_metageneration_match": 2},
        {"if_metageneration_not_match": 1},
    ):
        blob.metadata = {"k": "wrong"}
        with pytest.raises(PreconditionFailed):
            blob.patch(**conditions)
    blob.metadata = {"k": "right"}
    blob.patch(if_generation_match=generation, if_metageneration_match=1)
    assert bucket.get_blob(blob.name).metadata == {"k": "right"}


def test_an_update_replaces_everything(bucket, prefix):
    blob = put(bucket, prefix + "a", metadata={"k": "v"}, cache_control="no-store")
    blob.content_language = "en"
    blob.update(if_metageneration_match=1)
    found = bucket.get_blob(blob.name)
    assert (found.content_language, found.metadata, found.cache_control) == ("en", {"k": "v"}, "no-store")
    assert found.download_as_bytes() == b"x"


def test_a_custom_time_is_kept(bucket, prefix):
    blob = put(bucket, prefix + "a")
    blob.custom_time = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
    blob.patch()
    assert bucket.get_blob(blob.name).custom_time == blob.custom_time


def test_what_is_held_is_neither_deleted_nor_replaced(bucket, prefix):
    blob = put(bucket, prefix + "a", b"first")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(Forbidden):
        blob.delete()
    with pytest.raises(Forbidden):
        bucket.blob(blob.name).upload_from_string(b"second")
    blob.temporary_hold = False
    blob.patch()
    blob.delete()
    assert not blob.exists()


# Deletions


def test_a_deletion_keeps_its_conditions(bucket, prefix):
    blob = put(bucket, prefix + "a")
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=blob.generation + 1)
    with pytest.raises(PreconditionFailed):
        blob.delete(if_metageneration_match=2)
    with pytest.raises(NotFound):
        bucket.delete_blob(blob.name, generation=blob.generation + 1)
    assert blob.exists()
    blob.delete(if_generation_match=blob.generation)
    assert not blob.exists()
    with pytest.raises(NotFound):
        blob.delete()


def test_many_are_deleted_and_what_is_missing_is_told(bucket, prefix):
    made = [put(bucket, f"{prefix}{number}") for number in range(5)]
    missing = []
    bucket.delete_blobs([*made, bucket.blob(prefix + "none")], on_error=missing.append)
    assert names(missing) == [prefix + "none"]
    assert names(bucket.list_blobs(prefix=prefix)) == []


# What the emulator does not support


def test_what_is_not_there_is_refused_and_never_ignored(bucket, prefix):
    blob = put(bucket, prefix + "a")
    for call in (
        lambda: list(bucket.list_blobs(prefix=prefix, match_glob="**.csv")),
        lambda: list(bucket.list_blobs(prefix=prefix, soft_deleted=True)),
        lambda: bucket.blob(prefix + "b").compose([blob, blob], retry=None),
        lambda: bucket.blob(prefix + "c", kms_key_name="projects/p/locations/l/keyRings/r/cryptoKeys/k").upload_from_string(
            b"x"
        ),
        lambda: bucket.blob(prefix + "d", encryption_key=bytes(32)).upload_from_string(b"x"),
    ):
        with pytest.raises(GoogleAPICallError):
            call()
    assert names(bucket.list_blobs(prefix=prefix)) == [prefix + "a"]
