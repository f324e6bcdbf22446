"""The program: it finds out how it was started."""

import io
import os
import sys
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, Callable, Optional, TypeVar, Union, overload

from ._answers import Misconfigured, Returned
from ._blame import Terminated, flush, log
from ._job import Job
from ._once import EXIT, serve_once
from ._pipes import Pipes
from ._processor import Processor
from ._startup import may_serve

T = TypeVar("T")
# The seconds that threads have to end after the main one.
GRACE = 2.0


@overload
def serve(
    processor: Callable[[Job], Union[Returned, Awaitable[Returned]]],
    *,
    setup: Optional[Callable[[], object]] = None,
    argv: Optional[Sequence[str]] = None,
) -> None: ...


@overload
def serve(
    processor: Callable[[Job, T], Union[Returned, Awaitable[Returned]]],
    *,
    setup: Callable[[], Union[T, Awaitable[T]]],
    argv: Optional[Sequence[str]] = None,
) -> None: ...


def serve(
    processor: Callable[..., Any],
    *,
    setup: Optional[Callable[[], Any]] = None,
    argv: Optional[Sequence[str]] = None,
) -> None:
    """Serves the function as a program, and ends it.

    Under `brigade worker --persistent` it processes one file after the other, otherwise the one that its argument
    names. `setup` runs once before the first file; its result is the function's second argument, if the function takes
    one. `argv` has the file for a program that reads arguments of its own.
    """
    if not may_serve():
        return
    import faulthandler

    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        # A crash in C names the line.
        faulthandler.enable(sys.__stderr__)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    called = Processor(processor, setup)
    script = os.path.basename(sys.argv[0])
    status = 1
    try:
        status = _serve(called, sys.argv[1:] if argv is None else argv, script)
    except KeyboardInterrupt as error:
        # The trace from the user's code on is enough. Python ends as SIGINT does.
        log(error)
        sys.excepthook = lambda *_: None
        raise
    except Terminated as error:
        status = error.status
        raise
    finally:
        called.close()
        _end_without(status)
    sys.exit(status)


def _serve(processor: Processor, arguments: Sequence[str], script: str) -> int:
    _log_to_stderr()
    try:
        pipes = Pipes.from_environment()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT["misconfigured"]
    if pipes is None:
        return serve_once(processor, arguments, script)
    from ._persistent import serve_jobs

    return serve_jobs(pipes, processor, script)


def _end_without(status: int) -> None:
    """A thread that never ends would hold the process, which has its answer. So the process ends without it."""
    import threading

    def end() -> None:
        time.sleep(GRACE)
        left = [one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
        if not left:
            return
        with suppress(OSError, ValueError):
            fix = "fix: end them before the answer, or start them with daemon=True"
            print(f"the program ends, and these threads still run: {', '.join(left)}; {fix}", file=sys.stderr)
        flush()
        os._exit(status)

    threading.Thread(target=end, name="bucket-brigade-worker-end", daemon=True).start()


def _log_to_stderr() -> None:
    """`job.log` has somewhere to go, unless the program set up its own logging."""
    import logging

    logger = logging.getLogger("bucket_brigade_worker")
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
        logger.propagate = False
