"""One file: under plain `--exec`, or from a shell."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ._answers import Body, body, encode
from ._blame import answer, flush, start
from ._job import Job, Object
from ._processor import Processor

# What a person reads when the processor gave no words.
WITHOUT_WORDS = {
    "refuse": "the program refused it without a reason",
    "later": "try again later",
    "misconfigured": "the program says that it cannot work, without a reason",
}
EXIT = {"accept": 0, "refuse": 1, "later": 75, "misconfigured": 78}
USAGE = 2


def is_exec() -> bool:
    """Whether a worker started this program for one file."""
    return "OBJECT_JSON" in os.environ and "OUTPUT_DIR" in os.environ


def serve_once(processor: Processor, arguments: Sequence[str], script: str) -> int:
    """Processes the one file that the arguments name, and returns the exit status."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        fix = "a program with arguments of its own gives the file alone: serve(score, argv=[file])"
        print(f"usage: {script} FILE\n{script} expects one file, not {list(arguments)}; {fix}", file=sys.stderr)
        return EXIT["misconfigured"] if is_exec() else USAGE
    path = Path(arguments[0])
    if is_exec():
        return _under_worker(processor, path)
    if not path.is_file():
        print(f"{path} is no file", file=sys.stderr)
        return USAGE
    return _in_shell(processor, path)


def local_object(path: Path, name: Optional[str] = None) -> Object:
    """A file of this machine as if it were an object."""
    about = {"bucket": "local", "name": name or path.name, "generation": "1", "size": str(path.stat().st_size)}
    return Object.from_json(about)


def tell(answered: Body) -> int:
    """Writes the answer in `ANSWER_FILE`, and as the last line of stdout or stderr; returns the exit status."""
    kind, words = next(iter(answered.items()))
    said = words["summary"] if kind == "accept" else words["reason"] or WITHOUT_WORDS[kind]
    # The processor may have closed it.
    with suppress(OSError, ValueError):
        if said:
            print(said, file=sys.stdout if kind == "accept" else sys.stderr)
    flush()
    write(answered)
    return EXIT[kind]


def write(answered: Body) -> None:
    """Writes the answer where the worker reads it, if it does. Without it the exit status and the last line decide."""
    file = os.environ.pop("ANSWER_FILE", None)
    if file is not None:
        with suppress(OSError):
            Path(file).write_bytes(encode(answered))


def _answer(processor: Processor, job: Job) -> Body:
    failed = start(processor)
    return body(failed) if failed is not None else answer(processor, job).body


def _under_worker(processor: Processor, path: Path) -> int:
    job = Job(
        path=path,
        object=Object.from_json(json.loads(os.environ["OBJECT_JSON"])),
        output_dir=Path(os.environ["OUTPUT_DIR"]),
        scratch=Path(os.environ.get("TMPDIR", "/tmp")),
        attempt=int(os.environ.get("OBJECT_ATTEMPT", "1")),
        traceparent=os.environ.get("TRACEPARENT", ""),
        _progress=_say,
    )
    return tell(_answer(processor, job))


def _in_shell(processor: Processor, path: Path) -> int:
    import tempfile

    given = os.environ.get("OUTPUT_DIR")
    outputs = Path(given) if given else Path("outputs", path.name)
    outputs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="brigade-") as scratch:
        job = Job(
            path=path.resolve(),
            object=local_object(path),
            output_dir=outputs.resolve(),
            scratch=Path(scratch),
            _progress=_say,
        )
        answered = _answer(processor, job)
    if not any(outputs.iterdir()):
        if not given:
            os.removedirs(outputs)
    elif "accept" in answered:
        with suppress(OSError, ValueError):
            print(f"outputs are in {outputs}/", file=sys.stderr)
    return tell(answered)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
