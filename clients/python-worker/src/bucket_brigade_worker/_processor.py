"""The user's function and its setup, plain or `async`."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ._answers import Accept, Misconfigured, accepted
from ._job import Job

if TYPE_CHECKING:
    import asyncio

Function = Callable[..., Any]


class Processor:
    """Calls the function. The setup and all calls share one event loop, and so may share a client."""

    def __init__(self, function: Function, setup: Optional[Callable[[], Any]]) -> None:
        self._function = function
        self._setup = setup
        self._values: tuple[Any, ...] = ()
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def start(self) -> None:
        """Runs the setup. What it returns is the function's second argument, if the function takes one."""
        takes_job, takes_value = _takes(self._function, 1), self._setup is not None and _takes(self._function, 2)
        if not takes_value and not takes_job:
            name = getattr(self._function, "__name__", "the processor")
            fix = "fix: def score(job), or def score(job, model) with serve(score, setup=load_model)"
            raise Misconfigured(f"{name} cannot be called with a job alone; {fix}")
        if self._setup is not None:
            value = self._complete(self._setup())
            # A second argument that may be left out has a meaning of its own: a setup without a result leaves it out.
            self._values = (value,) if takes_value and not (takes_job and value is None) else ()

    def __call__(self, job: Job) -> Accept:
        return accepted(self._complete(self._function(job, *self._values)))

    def close(self) -> None:
        """Ends the event loop."""
        if self._loop is not None:
            self._complete(_end_tasks())
            self._loop.close()

    def _complete(self, value: Union[Any, Awaitable[Any]]) -> Any:
        if not isinstance(value, Awaitable):
            return value
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        if asyncio._get_running_loop() is None:
            return self._loop.run_until_complete(value)
        # A notebook's own loop runs in this thread.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._loop.run_until_complete, value).result()


async def _end_tasks() -> None:
    import asyncio

    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _takes(function: Function, count: int) -> bool:
    import inspect

    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        # It has no signature, as some functions in C.
        return True
    return True
