"""A processor in a test or a notebook."""

import os
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar, Union, overload

from ._answers import Returned, body
from ._job import Job
from ._once import local_object
from ._processor import Processor
from ._surroundings import surroundings

T = TypeVar("T")
Given = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Result:
    """What a processor made of a file that it accepted."""

    summary: str
    labels: Mapping[str, str]
    # The path of each output by its name.
    outputs: Mapping[str, Path]
    output_dir: Path
    progress: list[str] = field(default_factory=list)


@overload
def run(
    processor: Callable[[Job], Union[Returned, Awaitable[Returned]]],
    path: Given,
    *,
    setup: Optional[Callable[[], object]] = None,
    output_dir: Optional[Given] = None,
    name: Optional[str] = None,
    attempt: int = 1,
) -> Result: ...


@overload
def run(
    processor: Callable[[Job, T], Union[Returned, Awaitable[Returned]]],
    path: Given,
    *,
    setup: Callable[[], Union[T, Awaitable[T]]],
    output_dir: Optional[Given] = None,
    name: Optional[str] = None,
    attempt: int = 1,
) -> Result: ...


def run(
    processor: Callable[..., Any],
    path: Given,
    *,
    setup: Optional[Callable[[], Any]] = None,
    output_dir: Optional[Given] = None,
    name: Optional[str] = None,
    attempt: int = 1,
) -> Result:
    """Processes one file and returns the result; raises what the processor raises.

    The outputs are in a directory that is removed when Python ends, or in `output_dir`. `name` is the object's name, by
    default the file's.
    """
    import tempfile

    file = Path(path).resolve(strict=True)
    directory = Path(output_dir).resolve() if output_dir is not None else _temporary()
    directory.mkdir(parents=True, exist_ok=True)
    called = Processor(processor, setup)
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="brigade-") as scratch:
        job = Job(file, local_object(file, name), directory, Path(scratch), attempt, _progress=said.append)
        try:
            with surroundings(job):
                called.start()
                accepted = called(job)
        finally:
            called.close()
    outputs = {str(made.relative_to(directory)): made for made in sorted(directory.rglob("*")) if made.is_file()}
    answered = body(accepted)["accept"]
    return Result(answered["summary"], answered["labels"], outputs, directory, said)


def _temporary() -> Path:
    import atexit
    import shutil
    import tempfile

    directory = tempfile.mkdtemp(prefix="brigade-outputs-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory).resolve()
