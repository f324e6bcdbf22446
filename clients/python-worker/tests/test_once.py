"""A script under plain `--exec`, and from a shell."""

import json
from pathlib import Path

import pytest

from conftest import Write
from worker import TRACEPARENT, Ended, run_once

ALL = """
def score(job: Job) -> str:
    text = job.path.read_text()
    if text == "refuse":
        raise Refuse("no day", kind="no-day")
    if text == "later":
        raise TryLater(30)
    if text == "misconfigured":
        raise Misconfigured("no licence")
    if text == "exception":
        {}["day"]
    job.progress("half")
    job.output("plots/1.txt").write_text(str(job.object))
    print("a log line")
    return Accept("done", {"n": 1})
"""
ANSWERS = [
    ("x", 0, {"accept": {"summary": "done", "labels": {"n": "1"}}}),
    ("refuse", 1, {"refuse": {"reason": "no day", "kind": "no-day"}}),
    ("later", 75, {"later": {"seconds": 30.0, "reason": ""}}),
    ("misconfigured", 78, {"misconfigured": {"reason": "no licence"}}),
    ("exception", 1, {"refuse": {"reason": "KeyError: 'day' (score.py, line 13)", "kind": "KeyError"}}),
]


def run_exec(script: Path, file: Path, answer: bool = True) -> Ended:
    """Runs it as a worker with `--exec` does."""
    (script.parent / "output").mkdir()
    about = {"bucket": "data", "name": "incoming/night.csv", "generation": "7"}
    given = {
        "OBJECT_JSON": json.dumps(about),
        "OBJECT_ATTEMPT": "2",
        "TRACEPARENT": TRACEPARENT,
        "OUTPUT_DIR": str(script.parent / "output"),
        "TMPDIR": str(script.parent),
    }
    if answer:
        given["ANSWER_FILE"] = str(script.parent / "answer")
    return run_once(script, file, **given)


@pytest.mark.parametrize(("content", "status", "answer"), ANSWERS)
def test_a_program_answers_by_a_file_its_last_line_and_its_status(
    write: Write, file: Path, content: str, status: int, answer: object
) -> None:
    script = write(ALL)
    file.write_text(content)
    ended = run_exec(script, file)
    assert ended.status == status, ended
    assert json.loads((script.parent / "answer").read_text()) == answer


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [("x", 0, "done"), ("refuse", 1, "no day"), ("later", 75, "try again later"), ("misconfigured", 78, "no licence")],
)
def test_a_worker_that_reads_no_answer_gets_the_last_line(
    write: Write, file: Path, content: str, status: int, said: str
) -> None:
    file.write_text(content)
    ended = run_exec(write(ALL), file, answer=False)
    assert ended.status == status
    assert (ended.err if status else ended.out).splitlines()[-1] == said


def test_a_file_has_the_trace_of_its_call(write: Write, file: Path) -> None:
    ended = run_exec(write("def score(job):\n    return job.traceparent"), file)
    assert ended.out.splitlines()[-1] == TRACEPARENT


def test_outputs_and_object_are_those_of_the_worker(write: Write, file: Path) -> None:
    script = write(ALL)
    run_exec(script, file)
    assert (script.parent / "output/plots/1.txt").read_text() == "gs://data/incoming/night.csv#7"


@pytest.mark.parametrize("code", ["import is_not_installed", "from os import is_not_there", "import broken"])
def test_a_missing_module_fails_no_file(write: Write, file: Path, code: str) -> None:
    script = write(code)
    (script.parent / "broken.py").write_text("def")
    ended = run_exec(script, file)
    assert ended.status == 78, ended
    assert "Traceback" in ended.err
    assert "Error: " in json.loads((script.parent / "answer").read_text())["misconfigured"]["reason"]


def test_a_missing_module_within_a_job_refuses(write: Write, file: Path) -> None:
    ended = run_exec(write("def score(job):\n    import is_not_installed"), file)
    assert ended.status == 1


def test_a_setup_that_fails_fails_no_file(write: Write, file: Path) -> None:
    code = "def load():\n    raise OSError('no model')\ndef score(job):\n    pass"
    ended = run_exec(write(code, tail="\nserve(score, setup=load)\n"), file)
    assert ended.status == 78
    assert ended.err.splitlines()[-1] == "the setup failed: OSError: no model (score.py, line 4)"


def test_arguments_that_are_no_file_fail_no_file(write: Write, file: Path) -> None:
    script = write(ALL)
    given = {"OBJECT_JSON": "{}", "OUTPUT_DIR": str(script.parent)}
    ended = run_once(script, "--threshold", "3", file, **given)
    assert ended.status == 78
    assert "expects one file" in ended.err


def test_a_program_with_arguments_of_its_own_names_the_file(write: Write, file: Path) -> None:
    script = write(ALL, tail="\nserve(score, argv=sys.argv[3:])\n")
    assert run_once(script, "--threshold", "3", file).status == 0


def test_a_program_in_a_shell_prints_its_summary_and_says_where_its_outputs_are(write: Write, file: Path) -> None:
    script = write(ALL)
    ended = run_once(script, file.name)
    assert (ended.status, ended.out) == (0, "a log line\ndone\n")
    assert ended.err == "half\noutputs are in outputs/night.csv/\n"
    assert (script.parent / "outputs/night.csv/plots/1.txt").read_text() == "gs://local/night.csv#1"
    ended = run_once(script, file, OUTPUT_DIR="elsewhere")
    assert (script.parent / "elsewhere/plots/1.txt").exists()


def test_a_refused_file_in_a_shell_has_no_outputs_to_name(write: Write, file: Path) -> None:
    code = "def score(job):\n    job.output('half.txt').write_text('x')\n    raise Refuse('')"
    ended = run_once(write(code), file)
    assert (ended.status, ended.err) == (1, "the program refused it without a reason\n")


def test_ctrl_c_in_a_shell_shows_the_users_trace_and_ends_as_it_does(write: Write, file: Path) -> None:
    ended = run_once(write("def score(job):\n    import signal\n    os.kill(os.getpid(), signal.SIGINT)"), file)
    assert ended.status == -2
    assert ended.err.endswith("\nKeyboardInterrupt\n")
    assert "bucket_brigade_worker" not in ended.err


@pytest.mark.parametrize("code", ["", "raise Refuse('no')", "os.kill(os.getpid(), 2)"])
def test_a_thread_that_never_ends_holds_no_program(write: Write, file: Path, code: str) -> None:
    thread = "import threading\n    threading.Thread(target=time.sleep, args=(3600,), name='loader').start()"
    ended = run_exec(write(f"def score(job):\n    {thread}\n    {code}"), file)
    assert ended.status == (1 if code else 0)
    assert "these threads still run: loader; fix:" in ended.err


def test_a_pool_of_threads_that_is_idle_ends_the_usual_way(write: Write, file: Path) -> None:
    code = """
import atexit
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
atexit.register(print, "atexit")
def score(job):
    return pool.submit(str, 3).result()
"""
    ended = run_exec(write(code), file)
    assert (ended.status, ended.out, ended.err) == (0, "3\natexit\n", "")


@pytest.mark.parametrize(("content", "status", "_answer"), ANSWERS)
def test_a_program_in_a_shell_ends_with_the_status_of_its_answer(
    write: Write, file: Path, content: str, status: int, _answer: object
) -> None:
    file.write_text(content)
    script = write(ALL)
    assert run_once(script, file).status == status
    assert (script.parent / "outputs").exists() == (status == 0), "a folder without outputs is removed"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a", "b"]])
def test_a_program_in_a_shell_says_how_it_is_used(write: Write, arguments: list[str]) -> None:
    ended = run_once(write(ALL), *arguments)
    assert ended.status == 2
    assert "usage: score.py FILE" in ended.err


def test_a_file_that_is_missing_is_named(write: Write) -> None:
    ended = run_once(write(ALL), "missing.csv")
    assert (ended.status, ended.err) == (2, "missing.csv is no file\n")


def test_a_closed_descriptor_is_named_with_its_cause(write: Write) -> None:
    ended = run_once(write(ALL), BRIGADE_JOBS_FD="57", BRIGADE_ANSWERS_FD="58")
    assert ended.status == 78
    assert "BRIGADE_JOBS_FD is '57', which is no open descriptor" in ended.err
    assert "start python directly, or with exec" in ended.err


def test_an_import_of_an_unguarded_script_names_the_fix(write: Write) -> None:
    script = write(ALL, tail="\nserve(score)\n")
    test = script.parent / "other.py"
    test.write_text("import score")
    ended = run_once(test)
    assert (
        'score.py was imported, and called serve() as if it were the program; fix: `if __name__ == "__main__":`'
        in ended.err
    )


def test_a_main_function_of_another_module_may_serve(write: Write, file: Path) -> None:
    script = write(ALL, tail="\ndef main():\n    serve(score)\n")
    test = script.parent / "other.py"
    test.write_text("import score\nscore.main()")
    assert run_once(test, file).status == 0


def test_a_notebook_is_told_to_run(write: Write, file: Path) -> None:
    ended = run_once(write("import builtins\nbuiltins.__IPYTHON__ = True\n" + ALL), file)
    assert "this is a notebook; fix: run(score, path)" in ended.err


def test_a_crash_in_c_names_the_line(write: Write, file: Path) -> None:
    ended = run_exec(write("def score(job):\n    import signal\n    os.kill(os.getpid(), signal.SIGSEGV)"), file)
    assert ended.status == -11
    assert 'score.py", line 5 in score' in ended.err
