"""A process that stays, and gets one file after the other."""

import faulthandler
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from ._answers import text
from ._blame import Terminated, answer, flush, start, where_it_is
from ._job import Job, Object
from ._pipes import Pipes, PipesClosed
from ._processor import Processor

# The seconds before the end of a job's time at which its stack goes to stderr.
BEFORE_END = 1.0
# The seconds that a process without a worker has to end by itself, twice.
GRACE = 2.0


def serve_jobs(pipes: Pipes, processor: Processor, name: str) -> int:
    """Answers jobs until no more come, and returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _terminate)
    _let_children_end()
    _end_with_worker(pipes.answers)
    try:
        failed = start(processor)
        flush()
        if failed is not None:
            pipes.send({"ready": False, "reason": text(failed.reason)})
            return 78
        pipes.send({"ready": True, "protocol": 1, "name": name})
        for line in pipes.lines():
            job = json.loads(line).get("job")
            if job is not None:
                _serve_one(pipes, processor, job)
    except PipesClosed as error:
        print(f"the pipes to the worker ended: {error}", file=sys.stderr)
        return 1
    return 0


def _serve_one(pipes: Pipes, processor: Processor, given: dict[str, Any]) -> None:
    seconds = given.get("deadline_seconds")
    job = Job(
        path=Path(given["path"]),
        object=Object.from_json(given["object"]),
        output_dir=Path(given["output_dir"]),
        scratch=Path(given["scratch"]),
        attempt=given.get("attempt", 1),
        traceparent=given.get("traceparent", ""),
        _deadline=None if seconds is None else time.monotonic() + seconds,
        _progress=pipes.progress,
    )
    pipes.begin(given["id"])
    hangs = threading.Timer(math.inf if seconds is None else seconds - BEFORE_END, _say_where, (pipes,))
    if seconds is not None and seconds > 2 * BEFORE_END:
        hangs.daemon = True
        hangs.start()
        if sys.__stderr__ is not None and not sys.__stderr__.closed:
            # The thread does not run while the processor hangs in C.
            faulthandler.dump_traceback_later(seconds - BEFORE_END, file=sys.__stderr__)
    try:
        answered = answer(processor, job)
    finally:
        hangs.cancel()
        faulthandler.cancel_dump_traceback_later()
    flush()
    pipes.answer({**answered.body, **({"recycle": True} if answered.recycle else {})})


def _say_where(pipes: Pipes) -> None:
    """The message of the timeout has the last progress. So the line at which the main thread is becomes one."""
    where = where_it_is(sys._current_frames().get(threading.main_thread().ident or 0))
    if where:
        pipes.progress(f"hangs in {where}" + (f", after: {pipes.said}" if pipes.said else ""))


def _terminate(number: int, _: object) -> NoReturn:
    """Ends by an exception, so that `finally` and atexit run. A second signal ends at once."""
    signal.signal(number, signal.SIG_DFL)
    raise Terminated(number)


def _let_children_end() -> None:
    """SIGTERM ends a forked child as it ends a program without a handler.

    Python drops a signal that has a handler and arrives while a child begins, and a pool would wait for that child for
    ever. So it is held back until the child has no handler.
    """
    masks = threading.local()

    def block() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def begin() -> None:
        if signal.getsignal(signal.SIGTERM) is _terminate:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=begin)


def _end_with_worker(answers: int) -> None:
    """A process that is busy does not read the end of its jobs. So a thread waits until the worker is gone."""
    import select

    def watch() -> None:
        poll = select.poll()
        # Errors alone: the reader is gone.
        poll.register(answers, 0)
        poll.poll()
        # One that waits for a job ends by itself.
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, name="bucket-brigade-worker", daemon=True).start()
