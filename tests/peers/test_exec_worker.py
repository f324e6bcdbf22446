"""Programs of `--exec` that cannot run: they empty no inbox, and the message says which program it is and what fixes it."""

import stat

import pytest

from deployed import BUCKET, Deployed
from running import Process, brigade

FILES = 40


def script(directory, text, executable=True):
    path = directory / "score"
    path.write_text(text)
    path.chmod(0o755 if executable else 0o644)
    assert bool(path.stat().st_mode & stat.S_IXUSR) == executable
    return str(path)


# Each: the command, parts of the message, and the fix.
BROKEN = {
    "an interpreter that is not there": (
        lambda directory: script(directory, '#!/bin/sh\nexec env python9 "$1"\n'),
        ("exit status 127", "python9"),
        "install it beside the worker",
    ),
    "a script that is not executable": (
        lambda directory: f"sh -c '{script(directory, 'exit 0', executable=False)} \"$1\"' sh",
        ("exit status 126", "/score"),
        "make it executable (chmod +x)",
    ),
    "a configuration that is wrong": (
        lambda directory: script(directory, "#!/bin/sh\necho 'MODEL_URL is not set' >&2\nexit 78\n"),
        ("/score", "exit status 78", "MODEL_URL is not set"),
        "correct the program's configuration",
    ),
}
NOT_INSTALLED = "#!/usr/bin/env python3\nimport no_such_module_here\n"

broken = pytest.mark.parametrize(("command", "parts", "fix"), BROKEN.values(), ids=BROKEN)


def deployed(command, *arguments, settings=None):
    def worker(port, env):
        own = {"PORT": port, "BRIGADE_BIND": "127.0.0.1", "BRIGADE_AUTH": "off", "RUST_LOG": "warn"}
        return Process([brigade(), "worker", "--exec", command, *arguments], env=env | own).wait_for_port(port)

    return Deployed({"/poll": "scheduler"}, grpc_worker=worker, settings=settings)


@broken
def test_a_program_that_cannot_run_leaves_the_inbox_and_is_named_with_the_fix(tmp_path, command, parts, fix):
    with deployed(command(tmp_path)) as system:
        system.upload(FILES)
        for _ in range(2):
            error = system.poll_that_stops()
            for part in (*parts, f"fix: {fix}"):
                assert part in error, error
        assert len(system.names("incoming")) == FILES
        assert system.names("failed") == []


def test_a_module_that_is_not_installed_fails_25_files_and_the_polls_end_names_it(tmp_path):
    with deployed(script(tmp_path, NOT_INSTALLED)) as system:
        system.upload(FILES)
        finished = system.poll()
        assert finished["reason"] == "END_REASON_BRAKE", finished
        assert any("No module named" in reason["reason"] for reason in finished["brake"]["reasons"]), finished
        assert 0 < len(system.names("failed")) <= 25
        left = system.names("incoming")
        # While the brake is on, nothing is asked.
        assert system.poll()["reason"] == "END_REASON_BRAKE"
        assert system.names("incoming") == left
        said = "".join(system.poller.log)
        assert "No module named" in said and "ignore_brake" in said


def test_an_output_leads_to_the_bytes_that_it_was_made_of_and_back(tmp_path):
    command = script(tmp_path, '#!/bin/sh\nrev "$1" > "$OUTPUT_DIR/reversed.txt"\n')
    # Only then are the outputs' names written on an input that needs no other update.
    settings = {"BRIGADE_MARK_PROCESSED": "true"}
    with deployed(command, "--output", f"gs://{BUCKET}/features/", settings=settings) as system:
        uploaded = {}
        for day in ("mon", "tue"):
            blob = system.bucket.blob(f"incoming/{day}/x.txt")
            blob.upload_from_string(f"{day}\n")
            uploaded[f"gs://{BUCKET}/{blob.name}#{blob.generation}"] = f"{day}\n"
        assert system.poll()["counts"]["processed"] == "2"
        assert system.names("features") == ["mon/x.txt/reversed.txt", "tue/x.txt/reversed.txt"]
        for output in list(system.bucket.list_blobs(prefix="features/")):
            source, inbox = output.metadata["brigade-source"], output.metadata["brigade-inbox"]
            path = source.removeprefix(inbox).rpartition("#")[0]
            processed = system.bucket.get_blob(f"processed/{path}")
            content = processed.download_as_text()
            assert content == uploaded.pop(source)
            assert output.download_as_text() == f"{content[-2::-1]}\n"
            # And back: the input names its outputs, and itself as they do.
            assert processed.metadata["brigade-outputs"] == f"gs://{BUCKET}/{output.name}"
            assert processed.metadata["brigade-source"] == source
        assert uploaded == {}


def dev_once(directory, command):
    """`brigade dev --once` over as many files as above: the process, its last line, and what is left."""
    data = directory / "data"
    inbox = data / "incoming"
    inbox.mkdir(parents=True)
    for number in range(FILES):
        (inbox / f"{number:03}.csv").write_text(f"{number}\n")
    arguments = [brigade(), "dev", "--once", "--no-samples", "--data", str(data), "--exec", command]
    with Process(arguments) as process:
        code = process.wait()
    failed = data / "failed"
    return process, code, len(list(inbox.iterdir())), len(list(failed.iterdir())) if failed.exists() else 0


@broken
def test_dev_once_with_a_program_that_cannot_run_names_the_fix_and_what_is_left(tmp_path, command, parts, fix):
    process, code, left, failed = dev_once(tmp_path, command(tmp_path))
    said = "".join(process.log)
    for part in (*parts, f"fix: {fix}", f"{FILES} left in the inbox"):
        assert part in said, said
    # 69: what the command needs is not there.
    assert (code, left, failed) == (69, FILES, 0), said


def test_dev_once_with_an_interpreter_that_the_first_line_misnames_does_not_start(tmp_path):
    process, code, left, failed = dev_once(tmp_path, script(tmp_path, "#!/usr/bin/env python9\n"))
    said = "".join(process.log)
    assert "python9" in said and "install it, or correct the line" in said, said
    # 64: the command is wrong.
    assert (code, left, failed) == (64, FILES, 0), said


def test_dev_once_with_a_module_that_is_not_installed_exits_1_and_names_what_is_left(tmp_path):
    process, code, left, failed = dev_once(tmp_path, script(tmp_path, NOT_INSTALLED))
    said = "".join(process.log)
    assert failed <= 25 and left == FILES - failed
    assert "No module named" in said and f"{left} left in the inbox" in said, said
    assert code == 1
