"""What an exception means for the file that was processed."""

import errno
import os
import signal
import sys
from contextlib import suppress
from types import FrameType, TracebackType
from typing import NamedTuple, Optional, Union

from ._answers import Accept, Body, Misconfigured, Refuse, TryLater, as_string, body
from ._job import Job
from ._processor import Processor
from ._surroundings import outlets, surroundings

HERE = os.path.dirname(__file__)
LIBRARY = os.path.dirname(os.__file__)
# `EX_TEMPFAIL`, and the exit statuses that say that a program cannot run.
LATER = 75
CANNOT_RUN = (78, 126, 127)


class Terminated(SystemExit):
    """The worker ended this process by a signal. It is no answer about a file."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number
        super().__init__(self.status)


class Answer(NamedTuple):
    """The answer about one file."""

    body: Body
    # Whether this process is better replaced.
    recycle: bool = False


def answer(processor: Processor, job: Job) -> Answer:
    """Processes one file, whatever happens. A forked child of the processor that comes here ends here."""
    process, before = os.getpid(), outlets()
    try:
        with surroundings(job):
            accepted = processor(job)
        answered = Answer(body(accepted))
    except BaseException as error:
        if _is_signal(error):
            raise
        try:
            answered = _blame(error)
        except Exception as second:
            # An exception with a class of its own can do anything when it is asked what it says.
            name = type(error).__name__
            answered = Answer(body(Refuse(f"{name}, which raised {type(second).__name__} when it was read", kind=name)))
    if os.getpid() != process:
        flush()
        os._exit(0 if "accept" in answered.body else 1)
    # No later file would have a log.
    return answered._replace(recycle=answered.recycle or outlets() != before)


def start(processor: Processor) -> Optional[Misconfigured]:
    """Runs the setup. What goes wrong there is the fault of no file."""
    try:
        processor.start()
    except (Misconfigured, Refuse) as error:
        return Misconfigured(as_string(getattr(error, "reason", error)))
    except BaseException as error:
        if _is_signal(error):
            raise
        log(error)
        return Misconfigured(f"the setup failed: {describe(error)}")
    return None


def flush() -> None:
    """What was printed about a file belongs before its answer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # The processor closed or removed it.
            continue


def log(error: BaseException) -> None:
    """Writes the trace to stderr, from the user's code on."""
    import traceback

    trace = error.__traceback__
    while trace is not None and _is_ours(trace) and trace.tb_next is not None:
        trace = trace.tb_next
    # The processor may have closed it.
    with suppress(OSError, ValueError):
        traceback.print_exception(type(error), error, trace)


def describe(error: BaseException) -> str:
    """The exception as Python prints it last, and the line of the user's code: `KeyError: 'day' (score.py, line 9)`."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    first, _, rest = as_string(error).partition("\n")
    text = f"{name}: {first}" if first else name
    return text + _where(error.__traceback__) + (f"\n{rest}" if rest else "")


def where_it_is(frame: Optional[FrameType]) -> str:
    """The innermost line of the user's code, such as `score.py, line 21`; nothing when only Python's own is there."""
    while frame is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}, line {frame.f_lineno}" if frame is not None else ""


def _is_signal(error: BaseException) -> bool:
    """Whether someone ends this process. Where SIGINT has another handler, a KeyboardInterrupt comes from the code."""
    return isinstance(error, Terminated) or (
        isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _blame(error: BaseException) -> Answer:
    error = _alone(error)
    if isinstance(error, (Refuse, TryLater, Misconfigured)):
        return Answer(body(error))
    if isinstance(error, SystemExit):
        return Answer(body(_exited(error.code)))
    log(error)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        # Files of earlier jobs are open.
        return Answer(body(TryLater(reason=describe(error))), recycle=True)
    refused = Refuse(describe(error), kind=type(error).__name__)
    return Answer(body(refused), recycle=isinstance(error, MemoryError))


def _alone(error: BaseException) -> BaseException:
    """The only exception of a group, as a `TaskGroup` raises it."""
    group = getattr(error, "exceptions", ())
    return _alone(group[0]) if isinstance(group, tuple) and len(group) == 1 else error


def _exited(code: object) -> Union[Accept, Refuse, TryLater, Misconfigured]:
    """What `sys.exit(code)` means. In a process that stays it must not end it."""
    if code is None or code == 0:
        return Refuse("the processor called sys.exit(), which accepts no file; fix: return", kind="SystemExit")
    if code == LATER:
        return TryLater(reason=f"the processor called sys.exit({code})")
    if code in CANNOT_RUN:
        return Misconfigured(f"the processor called sys.exit({code})")
    return Refuse(code if isinstance(code, str) else f"the processor called sys.exit({code})")


def _is_ours(trace: TracebackType) -> bool:
    return _is_package(trace.tb_frame.f_code.co_filename)


def _is_package(file: str) -> bool:
    return file.startswith(HERE) or file.startswith(os.path.join(LIBRARY, "asyncio"))


def _is_users(file: str) -> bool:
    """Whether it belongs to the user: not to Python, to an installed package or to this one."""
    return not (file.startswith((HERE, LIBRARY, "<frozen")) or "site-packages" in file or "dist-packages" in file)


def _where(trace: Optional[TracebackType]) -> str:
    """The last line of the user's code, or else of an installed package or Python; never one of this package."""
    found = last = None
    while trace is not None:
        at = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        if _is_users(at[0]):
            found = at
        if not _is_package(at[0]):
            last = at
        trace = trace.tb_next
    file, line = found or last or ("", 0)
    return f" ({os.path.basename(file)}, line {line})" if file else ""
