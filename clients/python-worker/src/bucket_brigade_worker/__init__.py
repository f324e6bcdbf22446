"""A function that processes files, as a worker of Bucket Brigade.

    from bucket_brigade_worker import Job, Refuse, serve

    def score(job: Job) -> str:
        lines = job.path.read_text().splitlines()
        if not lines:
            raise Refuse("it is empty")
        job.output("lines.txt").write_text(str(len(lines)))
        return f"{len(lines)} lines"

    if __name__ == "__main__":
        serve(score)

The same script runs under `brigade worker --exec 'python3 score.py'`, with `--persistent` or without, and from a shell
on the path of a file. `run(score, path)` calls the function in a test or a notebook.
"""

from ._answers import Accept, Misconfigured, Refuse, TryLater
from ._job import Job, Object
from ._run import Result, run
from ._serve import serve
from ._startup import watch_imports

__version__ = "0.1.0"

__all__ = ["Accept", "Job", "Misconfigured", "Object", "Refuse", "Result", "TryLater", "run", "serve"]

watch_imports()
