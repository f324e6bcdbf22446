"""A processor in a test or a notebook, and the package itself."""

import asyncio
import math
import os
import pickle
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import bucket_brigade_worker
from bucket_brigade_worker import Accept, Job, Misconfigured, Object, Refuse, Result, TryLater, run
from worker import environment


def count(job: Job) -> str:
    lines = job.path.read_text().splitlines()
    if not lines:
        raise Refuse("it is empty", kind="empty")
    job.output("lines.txt").write_text(str(len(lines)))
    job.progress("counted")
    return f"{len(lines)} lines in {job.object.name}"


def test_run_returns_what_a_processor_made(file: Path, tmp_path: Path) -> None:
    result = run(count, file)
    assert (result.summary, result.progress) == ("3 lines in night.csv", ["counted"])
    assert {name: path.read_text() for name, path in result.outputs.items()} == {"lines.txt": "3"}
    kept = run(count, str(file), output_dir=tmp_path / "kept", name="incoming/mon/x.csv")
    assert kept.summary == "3 lines in incoming/mon/x.csv"
    assert kept.outputs == {"lines.txt": tmp_path / "kept/lines.txt"}


def test_run_raises_what_a_processor_raises(file: Path) -> None:
    file.write_text("")
    with pytest.raises(Refuse, match="it is empty") as refused:
        run(count, file)
    assert refused.value.kind == "empty"
    with pytest.raises(FileNotFoundError):
        run(count, file.with_name("missing"))


def test_run_changes_nothing_of_its_process(file: Path) -> None:
    def move(job: Job) -> None:
        assert os.environ["OBJECT_NAME"] == "night.csv"
        os.chdir("/")
        os.environ["LEFT"] = "x"

    before = os.getcwd(), dict(os.environ)
    run(move, file)
    assert (os.getcwd(), dict(os.environ)) == before


def test_run_gives_the_setups_value_to_a_function_that_takes_one(file: Path) -> None:
    def load() -> int:
        return 3

    def score(job: Job, model: int) -> Accept:
        return Accept(str(model), {"model": model})

    async def load_slowly() -> int:
        return 4

    async def score_slowly(job: Job, model: int) -> str:
        return str(model)

    assert run(score, file, setup=load).labels == {"model": "3"}
    assert run(score_slowly, file, setup=load_slowly).summary == "4"
    assert run(score_slowly, file, setup=load).summary == "3"
    with pytest.raises(Misconfigured, match="score cannot be called with a job alone"):
        run(score, file)  # type: ignore[arg-type, call-overload, unused-ignore]


def test_run_works_in_the_loop_of_a_notebook(file: Path) -> None:
    async def score(job: Job) -> str:
        await asyncio.sleep(0)
        return "done"

    async def cell() -> Result:
        return run(score, file)

    assert asyncio.run(cell()).summary == "done"


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/passwd", "a/../../b"])
def test_an_output_stays_among_the_outputs(file: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an output"):
        run(lambda job: str(job.output(name)), file)


def test_no_limit_of_time_is_known_outside_a_worker(file: Path) -> None:
    def score(job: Job) -> None:
        assert job.remaining() == math.inf

    run(score, file)


def test_scalars_of_numpy_are_labels(file: Path) -> None:
    class Scalar:
        ndim = 0

        def item(self) -> float:
            return 0.5

    assert run(lambda job: Accept("", {"p": Scalar(), "path": job.path}), file).labels["p"] == "0.5"


def test_answers_pass_between_processes() -> None:
    refused = pickle.loads(pickle.dumps(Refuse("no day", kind="no-day")))
    assert (refused.reason, refused.kind) == ("no day", "no-day")
    later = pickle.loads(pickle.dumps(TryLater(30, "full")))
    assert (later.seconds, later.reason, str(later)) == (30, "full", "full")


def test_types_can_be_read_at_run_time() -> None:
    # On the oldest Python too.
    for one in (Job, Object, Result, Accept):
        hints: dict[str, Any] = typing.get_type_hints(one)
        assert hints


def test_every_public_name_exists() -> None:
    assert all(hasattr(bucket_brigade_worker, name) for name in bucket_brigade_worker.__all__)


def test_an_import_loads_nothing_heavy_and_changes_nothing() -> None:
    code = (
        "import sys; hook = sys.excepthook; import bucket_brigade_worker; print(*sys.modules, sys.excepthook is hook)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], env=environment({}), text=True)
    heavy = {
        "asyncio",
        "multiprocessing",
        "logging",
        "tempfile",
        "traceback",
        "concurrent",
        "socket",
        "select",
        "faulthandler",
    }
    assert not heavy & set(loaded.split())
    assert loaded.endswith(" True\n")
