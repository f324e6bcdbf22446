"""What a processor finds around it, as a program that is started for each file would."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Optional

from ._job import Job


@contextmanager
def surroundings(job: Job) -> Iterator[None]:
    """Sets the variables of `--exec`. They, the working directory, the streams and the alarm are as before afterwards.

    Temporary files stay where they were. multiprocessing and others make one once, and use it as long as the process
    lives.
    """
    import tempfile

    variables, directory, temporary = dict(os.environ), _directory(), tempfile.tempdir
    streams, alarm = (sys.stdin, sys.stdout, sys.stderr), signal.getitimer(signal.ITIMER_REAL)
    _set(_of(job))
    try:
        yield
    finally:
        if alarm == (0.0, 0.0):
            # It would ring during another file.
            signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdin, sys.stdout, sys.stderr = streams
        for name in set(os.environ) - set(variables):
            del os.environ[name]
        _set(variables)
        tempfile.tempdir = temporary
        if directory is not None:
            with suppress(OSError):
                os.chdir(directory)


def outlets() -> tuple[object, ...]:
    """Where this process writes. It is something else after a file that closed or replaced one of them."""
    found: list[object] = [getattr(stream, "closed", None) for stream in (sys.stdout, sys.stderr)]
    for descriptor in (1, 2):
        try:
            about = os.fstat(descriptor)
            found.append((about.st_dev, about.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def _directory() -> Optional[str]:
    with suppress(OSError):
        return os.getcwd()
    # It was removed.
    return None


def _of(job: Job) -> dict[str, str]:
    about = job.object
    return {
        "OBJECT_BUCKET": about.bucket,
        "OBJECT_NAME": about.name,
        "OBJECT_GENERATION": str(about.generation),
        "OBJECT_CONTENT_TYPE": about.content_type,
        "OBJECT_CONTENT_ENCODING": about.content_encoding,
        "OBJECT_ATTEMPT": str(job.attempt),
        "OBJECT_JSON": json.dumps(about.json),
        "OUTPUT_DIR": str(job.output_dir),
        **({"TRACEPARENT": job.traceparent} if job.traceparent else {}),
    }


def _set(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        if os.environ.get(name) != value:
            if "\0" in value:
                # A variable cannot hold it.
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
