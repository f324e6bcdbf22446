"""What goes wrong before the first file, and where `serve` is called."""

import builtins
import os
import sys
from types import FrameType, TracebackType
from typing import Optional

from ._answers import Misconfigured, body
from ._blame import describe
from ._once import EXIT, is_exec, write

# Not empty until `serve` is called.
_is_starting: list[bool] = []


def watch_imports() -> None:
    """Under plain `--exec` a module that is missing fails no file: each would meet the same. `serve` ends this."""
    if not is_exec():
        return
    before = sys.excepthook
    _is_starting.append(True)

    def hook(kind: type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
        before(kind, error, trace)
        if _is_starting and isinstance(error, (ImportError, SyntaxError)):
            write(body(Misconfigured(describe(error))))
            sys.exit(EXIT["misconfigured"])

    sys.excepthook = hook


def may_serve() -> bool:
    """Whether `serve` is called by the program itself.

    A child of `multiprocessing` runs the script again under another name: there `serve` has nothing to do. In an import
    of the script, as pytest does it, and in a notebook it is called by mistake.
    """
    if hasattr(builtins, "__IPYTHON__"):
        raise RuntimeError("serve() runs a program, and this is a notebook; fix: run(score, path)")
    frame = sys._getframe(2)
    name = frame.f_globals.get("__name__")
    if frame.f_code.co_name == "<module>" and name not in ("__main__", "__mp_main__"):
        file = os.path.basename(frame.f_code.co_filename)
        fix = 'fix: `if __name__ == "__main__":` before serve(…)'
        raise RuntimeError(f"{file} was imported, and called serve() as if it were the program; {fix}")
    caller: Optional[FrameType] = frame
    while caller is not None:
        if caller.f_globals.get("__name__") == "__mp_main__":
            return False
        caller = caller.f_back
    _is_starting.clear()
    return True
