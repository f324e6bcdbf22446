"""A script under `--persistent`."""

import os
import shutil
import signal
import sys
from typing import Optional

import pytest

from conftest import Start

COUNT = """
def score(job: Job) -> str:
    lines = job.path.read_text().splitlines()
    job.output("lines.txt").write_text(str(len(lines)))
    return f"{len(lines)} lines"
"""


def test_one_process_answers_one_file_after_the_other(persistent: Start) -> None:
    worker = persistent(COUNT)
    assert worker.ready() == {"ready": True, "protocol": 1, "name": "score.py"}
    for content, lines in [("a\nb\n", 2), ("", 0), ("a", 1)]:
        assert worker.answer(content) == {"accept": {"summary": f"{lines} lines", "labels": {}}}
        assert worker.output("lines.txt") == str(lines)
    ended = worker.end()
    assert (ended.status, ended.out, ended.err) == (0, "", "")


def test_a_line_that_is_split_or_has_no_job_is_understood(persistent: Start) -> None:
    worker = persistent(COUNT)
    worker.ready()
    worker.write(b'{"cancel":"x"}\n{"later":')
    worker.write(b'"\xe2\x80\xa8\xc2\x85"}\n')
    assert worker.answer()["accept"]["summary"] == "2 lines"


def test_a_job_says_what_it_is_about(persistent: Start) -> None:
    worker = persistent("""
def score(job):
    assert job.object.json["later"] is True
    assert 500 < job.remaining() <= 600
    assert os.environ["OUTPUT_DIR"] == str(job.output_dir)
    assert os.environ["TRACEPARENT"] == job.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    return f"{job.object} {job.object.size} {job.attempt} {os.environ['OBJECT_NAME']} {os.environ['OBJECT_GENERATION']}"
""")
    worker.ready()
    summary = worker.answer(name="incoming/é.csv")["accept"]["summary"]
    assert summary == "gs://data/incoming/é.csv#7 4 2 incoming/é.csv 7"
    assert "OBJECT_NAME" in worker.answer(name="a\0b")["refuse"]["reason"], "a NUL fits into no variable"


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("return None", {"accept": {"summary": "", "labels": {}}}),
        ("raise Refuse('no day', kind='no-day')", {"refuse": {"reason": "no day", "kind": "no-day"}}),
        ("raise TryLater(30)", {"later": {"seconds": 30.0, "reason": ""}}),
        ("raise TryLater(1e9, 'full')", {"later": {"seconds": 86400.0, "reason": "full"}}),
        ("raise TryLater(float('nan'))", {"later": {"seconds": 10.0, "reason": ""}}),
        ("raise Refuse('x', kind=5)", {"refuse": {"reason": "x", "kind": "5"}}),
        ("raise Refuse('x', kind=Kind.NO_DAY)", {"refuse": {"reason": "x", "kind": "no-day"}}),
        ("raise Refuse(KeyError('x'))", {"refuse": {"reason": "'x'"}}),
        ("raise Own('x')", {"refuse": {"reason": "x"}}),
        ("return Accept(12)", {"accept": {"summary": "12", "labels": {}}}),
        ("return Accept(None)", {"accept": {"summary": "", "labels": {}}}),
        ("raise Misconfigured('no licence')", {"misconfigured": {"reason": "no licence"}}),
        (
            "return Accept('x', {'n': 2, 'f': float('nan'), 'b': True, 3: None, 's': 'a'})",
            {"accept": {"summary": "x", "labels": {"n": "2", "f": "NaN", "b": "true", "3": "null", "s": "a"}}},
        ),
        ("return 'a\\ud800b'", {"accept": {"summary": "a?b", "labels": {}}}),
        ("sys.exit('row 5')", {"refuse": {"reason": "row 5"}}),
        ("sys.exit(3)", {"refuse": {"reason": "the processor called sys.exit(3)"}}),
        ("sys.exit(75)", {"later": {"seconds": 10.0, "reason": "the processor called sys.exit(75)"}}),
        ("sys.exit(78)", {"misconfigured": {"reason": "the processor called sys.exit(78)"}}),
    ],
)
def test_each_end_of_a_processor_is_an_answer(persistent: Start, code: str, answer: object) -> None:
    classes = """
import enum
class Kind(enum.Enum):
    NO_DAY = "no-day"
class Own(Refuse):
    def __init__(self, column):
        self.column = column
"""
    worker = persistent(f"{classes}def score(job):\n    {code}")
    worker.ready()
    assert worker.answer() == answer
    assert worker.answer() == answer, "the process goes on"
    assert worker.end().err == ""


def test_sys_exit_without_a_status_accepts_no_file(persistent: Start) -> None:
    worker = persistent("def score(job):\n    sys.exit()")
    worker.ready()
    reason = "the processor called sys.exit(), which accepts no file; fix: return"
    assert worker.answer() == {"refuse": {"reason": reason, "kind": "SystemExit"}}


def test_an_exception_refuses_with_its_last_line_first_and_logs_its_trace(persistent: Start) -> None:
    worker = persistent("def score(job):\n    import json\n    return json.loads(job.path.read_text())['day']")
    worker.ready()
    assert worker.answer('{"a":1}') == {"refuse": {"reason": "KeyError: 'day' (score.py, line 5)", "kind": "KeyError"}}
    refused = worker.answer("x")["refuse"]
    assert refused["kind"] == "JSONDecodeError"
    assert refused["reason"].startswith("json.decoder.JSONDecodeError: Expecting value: line 1"), refused
    assert refused["reason"].endswith("(score.py, line 5)"), refused
    ended = worker.end()
    assert "\nKeyError: 'day'\n" in ended.err
    assert "bucket_brigade_worker" not in ended.err, "the trace begins in the user's code"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("return 12", "TypeError: the processor returned int; expected None, str or Accept"),
        ("yield 12", "TypeError: the processor returned generator; expected None, str or Accept"),
        (
            "return Accept(labels=['a'])",
            'TypeError: labels is list; expected a dict, such as {"rows": 12}',
        ),
        ("return Accept(Silent())", None),
        ("raise Silent()", "Silent: a Silent, whose text raises ValueError (score.py, line 13)"),
        ("raise Odd()", "Odd, which raised RuntimeError when it was read"),
    ],
)
def test_a_value_of_another_type_is_named_and_ends_no_process(
    persistent: Start, code: str, reason: Optional[str]
) -> None:
    worker = persistent(f"""
class Silent(Exception):
    def __str__(self):
        raise ValueError()
def broken():
    raise RuntimeError()
class Odd(Exception):
    exceptions = property(lambda self: broken())
def score(job):
    job.progress(12)
    {code}
""")
    worker.ready()
    for _ in range(2):
        job = worker.send()
        if "yield" not in code:
            assert worker.line() == {"id": job, "progress": "12"}
        answer = worker.line() or {}
        if reason is None:
            assert answer["accept"]["summary"] == "a Silent, whose text raises ValueError"
        else:
            assert answer["refuse"]["reason"] == reason


@pytest.mark.parametrize(
    ("code", "replaced"),
    [
        ("sys.stdout.close()", True),
        ("sys.stderr.close(); raise KeyError('x')", True),
        ("os.close(1)", True),
        ("os.close(2)", True),
        ("os.dup2(os.open('/dev/null', os.O_WRONLY), 1)", True),
        ("sys.stdout = sys.stderr = None", False),
        ("sys.stdout = open(os.devnull, 'w'); sys.stdout.close()", False),
        ("signal.alarm(1)", False),
        ("signal.setitimer(signal.ITIMER_REAL, 0.5)", False),
    ],
)
def test_a_file_that_spoils_the_streams_or_sets_an_alarm_spoils_no_other(
    persistent: Start, code: str, replaced: bool
) -> None:
    worker = persistent(f"""
import signal
def score(job):
    if job.path.read_text() == "spoil":
        {code}
        return
    time.sleep(1.2)
    print("a log line")
""")
    worker.ready()
    assert worker.answer("spoil").get("recycle", False) is replaced
    if not replaced:
        assert "accept" in worker.answer()
        assert worker.out.read_text() == "a log line\n"
    worker.end()


def test_temporary_files_live_as_long_as_the_process(persistent: Start) -> None:
    worker = persistent("""
import functools, tempfile
@functools.lru_cache
def cache():
    return tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
def score(job):
    tempfile.NamedTemporaryFile(dir=cache()).close()
    return tempfile.gettempdir()
""")
    worker.ready()
    for _ in range(2):
        job = worker.send()
        answer = worker.line() or {}
        assert job not in answer["accept"]["summary"]
        # As the worker does after each file.
        shutil.rmtree(worker.directory / job)


def test_an_interrupt_that_the_code_raises_refuses(persistent: Start) -> None:
    worker = persistent("def score(job):\n    raise KeyboardInterrupt")
    worker.ready()
    for _ in range(2):
        assert worker.answer()["refuse"]["kind"] == "KeyboardInterrupt"


def test_a_thread_that_never_ends_holds_no_process(persistent: Start) -> None:
    worker = persistent("""
import threading
def score(job):
    threading.Thread(target=time.sleep, args=(3600,), name="loader").start()
""")
    worker.ready()
    worker.answer()
    ended = worker.end()
    assert ended.status == 0
    assert "these threads still run: loader; fix:" in ended.err


def test_a_process_without_memory_or_descriptors_asks_to_be_replaced(persistent: Start) -> None:
    worker = persistent("""
def score(job):
    if job.path.read_text() == "memory":
        raise MemoryError()
    import errno
    raise OSError(errno.EMFILE, "Too many open files")
""")
    worker.ready()
    answer = worker.answer("memory")
    assert answer["recycle"] is True
    assert answer["refuse"]["kind"] == "MemoryError"
    answer = worker.answer("files")
    assert answer["recycle"] is True
    assert "Too many open files" in answer["later"]["reason"]


def test_nothing_of_a_job_stays_for_the_next_one(persistent: Start) -> None:
    worker = persistent(
        """
def score(job):
    import tempfile
    state = (os.getcwd(), os.environ.get("LEFT"), os.environ["KEPT"])
    os.chdir(job.scratch)
    os.environ["LEFT"] = "x"
    os.environ["KEPT"] = "changed"
    tempfile.tempdir = "/nowhere"
    return str(state)
""",
        KEPT="as before",
    )
    worker.ready()
    first = worker.answer()
    assert "'as before'" in first["accept"]["summary"]
    assert worker.answer() == first


def test_print_is_a_log_and_comes_before_the_answer(persistent: Start) -> None:
    worker = persistent("""
def score(job):
    print('{"id":"x"}')
    print("é\\udcff", end="")
    job.log.info("%s lines", 3)
    sys.stdout.write("x" * 1_000_000)
    os.system("echo from a child")
""")
    worker.ready()
    assert "accept" in worker.answer()
    out = worker.out.read_text()
    assert out.startswith('{"id":"x"}\n')
    assert out.count("x") > 1_000_000
    assert "from a child" in out
    assert worker.err.read_text() == "3 lines\n"


def test_progress_belongs_to_the_job_that_runs(persistent: Start) -> None:
    worker = persistent("""
import threading
def late(job, done):
    job.progress("1 of 2")
    done.set()
    while not job.path.with_name("go").exists():
        time.sleep(0.01)
    job.progress("after the answer")
    job.path.with_name("went").touch()
def score(job):
    done = threading.Event()
    threading.Thread(target=late, args=(job, done), daemon=True).start()
    done.wait()
""")
    worker.ready()
    first = worker.send()
    assert worker.line() == {"id": first, "progress": "1 of 2"}
    assert "accept" in (worker.line() or {})
    here = worker.directory / first
    (here / "go").touch()
    while not (here / "went").exists():
        pass
    second = worker.send()
    assert worker.line() == {"id": second, "progress": "1 of 2"}, "nothing of the first job's thread"


def test_async_processors_share_one_loop(persistent: Start) -> None:
    worker = persistent(
        """
import asyncio
loops = set()
async def load():
    loops.add(asyncio.get_running_loop())
    return "model"
async def score(job, model):
    loops.add(asyncio.get_running_loop())
    await asyncio.sleep(0)
    asyncio.ensure_future(asyncio.sleep(3600))
    if job.path.read_text() == "refuse":
        raise Refuse("no")
    return f"{model} {len(loops)}"
""",
        tail="\nif __name__ == '__main__':\n    serve(score, setup=load)\n",
    )
    worker.ready()
    assert worker.answer()["accept"]["summary"] == "model 1"
    assert worker.answer("refuse")["refuse"]["reason"] == "no"
    assert worker.answer()["accept"]["summary"] == "model 1"
    ended = worker.end()
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="it has no TaskGroup")
def test_a_refusal_in_a_task_group_is_a_refusal(persistent: Start) -> None:
    worker = persistent("""
import asyncio
async def part():
    raise Refuse("no")
async def score(job):
    async with asyncio.TaskGroup() as group:
        group.create_task(part())
""")
    worker.ready()
    assert worker.answer() == {"refuse": {"reason": "no"}}


SETUP = "\nif __name__ == '__main__':\n    serve(score, setup=load)\n"


def test_the_setup_runs_once_before_ready(persistent: Start) -> None:
    code = "def load():\n    print('loads')\n    return 'model'\ndef score(job, model):\n    return model"
    worker = persistent(code, tail=SETUP)
    worker.ready()
    assert worker.out.read_text() == "loads\n"
    for _ in range(2):
        assert worker.answer()["accept"]["summary"] == "model"
    assert worker.out.read_text() == "loads\n"


@pytest.mark.parametrize(
    ("parameters", "value", "got"),
    [
        ("model", "None", "None"),
        ("model", "3", "3"),
        ("threshold=5", "None", "5"),
        ("threshold=5", "3", "3"),
        ("*rest", "None", "()"),
        ("*rest", "3", "(3,)"),
    ],
)
def test_a_second_argument_that_may_be_left_out_gets_no_none(
    persistent: Start, parameters: str, value: str, got: str
) -> None:
    name = parameters.strip("*").partition("=")[0]
    worker = persistent(
        f"def load():\n    return {value}\ndef score(job, {parameters}):\n    return str({name})", tail=SETUP
    )
    worker.ready()
    assert worker.answer()["accept"]["summary"] == got


def test_a_function_of_the_job_alone_gets_no_value(persistent: Start) -> None:
    worker = persistent("def load():\n    return 1\ndef score(job):\n    return 'x'", tail=SETUP)
    worker.ready()
    assert worker.answer()["accept"]["summary"] == "x"


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        ("raise KeyError('model')", "the setup failed: KeyError: 'model' (score.py, line 4)"),
        ("raise Misconfigured('no model')", "no model"),
        ("sys.exit('no model')", "the setup failed: SystemExit: no model (score.py, line 4)"),
    ],
)
def test_a_setup_that_fails_is_not_ready_and_says_why(persistent: Start, load: str, reason: str) -> None:
    worker = persistent(f"def load():\n    {load}\ndef score(job):\n    pass", tail=SETUP)
    assert worker.ready() == {"ready": False, "reason": reason}
    assert worker.ended().status == 78


def test_a_function_that_no_job_fits_is_not_ready(persistent: Start) -> None:
    worker = persistent("def score(job, model):\n    pass")
    assert "score cannot be called with a job alone; fix:" in worker.ready()["reason"]


def test_an_unknown_protocol_is_not_ready(persistent: Start) -> None:
    worker = persistent(COUNT, versions="2,3")
    assert "offers the protocol 2,3" in worker.ready()["reason"]
    assert worker.ended().status == 78


def test_sigterm_ends_a_job_by_an_exception(persistent: Start) -> None:
    worker = persistent("""
import atexit
atexit.register(print, "atexit")
def score(job):
    try:
        job.progress("runs")
        time.sleep(3600)
    except Exception:
        return "not an Exception"
    finally:
        print("finally")
""")
    worker.ready()
    worker.send()
    worker.line()
    worker.process.send_signal(signal.SIGTERM)
    ended = worker.ended()
    assert (ended.status, ended.out) == (143, "finally\natexit\n")
    assert worker.line() is None, "no answer"


def test_a_busy_process_ends_soon_after_its_worker(persistent: Start) -> None:
    worker = persistent("def score(job):\n    job.progress('runs')\n    time.sleep(3600)")
    worker.ready()
    worker.send()
    worker.line()
    os.close(worker.jobs)
    os.close(worker.answers)
    assert worker.ended().status == 143


def test_the_stack_of_a_job_is_written_before_its_time_ends(persistent: Start) -> None:
    worker = persistent("def score(job):\n    time.sleep(4)")
    worker.ready()
    worker.send(seconds=3)
    while "accept" not in (worker.line() or {}):
        pass
    assert 'score.py", line 4 in score' in worker.err.read_text()


def test_the_last_progress_before_the_time_ends_names_the_line(persistent: Start) -> None:
    worker = persistent("""
import subprocess
def score(job):
    if job.path.read_text() == "says":
        job.progress("3 of 8")
    subprocess.run(["sleep", "2.5"])
""")
    worker.ready()
    for content, said in [("x", ""), ("says", ", after: 3 of 8")]:
        job = worker.send(content, seconds=3)
        if said:
            worker.line()
        assert worker.line() == {"id": job, "progress": f"hangs in score.py, line 8{said}"}
        assert "accept" in (worker.line() or {})


@pytest.mark.parametrize("how", ["os.close(int(answers))", "os.closerange(3, 256)"])
def test_a_processor_that_closes_the_pipe_ends_quietly(persistent: Start, how: str) -> None:
    worker = persistent(f"answers = os.environ['BRIGADE_ANSWERS_FD']\ndef score(job):\n    {how}")
    worker.ready()
    worker.send()
    assert worker.line() is None
    ended = worker.ended()
    assert ended.status == 1
    assert ended.err == "the pipes to the worker ended: [Errno 9] Bad file descriptor\n"


def test_children_hold_no_pipe_and_see_no_protocol(persistent: Start) -> None:
    worker = persistent("""
import subprocess
def score(job):
    subprocess.Popen("env; ls -l /proc/self/fd; exec sleep 3600", shell=True, close_fds=False)
    if os.fork() == 0:
        time.sleep(3600)
    time.sleep(0.5)
    os._exit(7)
""")
    worker.ready()
    worker.send()
    assert worker.line() is None, "the pipe has no other writer"
    assert worker.process.wait() == 7
    assert "BRIGADE" not in worker.out.read_text()


def test_a_forked_child_that_returns_answers_nothing(persistent: Start) -> None:
    worker = persistent("""
def score(job):
    child = os.fork()
    if child == 0:
        print("child")
        job.progress("child")
        raise KeyError("child")
    return str(os.waitpid(child, 0)[1])
""")
    worker.ready()
    assert worker.answer()["accept"]["summary"] == "256"
    assert worker.answer()["accept"]["summary"] == "256"
    assert worker.end().out == "child\nchild\n"


def test_sigterm_ends_a_forked_child_that_has_only_begun(persistent: Start) -> None:
    worker = persistent("""
import signal
def score(job):
    ends = []
    for _ in range(200):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            signal.pause()
        os.kill(child, signal.SIGTERM)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return str(set(ends))
""")
    worker.ready()
    assert worker.answer()["accept"]["summary"] == "{-15}"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("tail", ["\nif __name__ == '__main__':\n    serve(score)\n", "\nserve(score)\n"])
def test_multiprocessing_works_in_a_job(persistent: Start, method: str, tail: str) -> None:
    code = f"""
import multiprocessing
def double(n):
    if n == 3:
        raise TryLater(30, "n is 3")
    return 2 * n
def score(job):
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        return str(pool.map(double, map(int, job.path.read_text().split())))
"""
    worker = persistent(code, tail=tail)
    worker.ready()
    assert worker.answer("1 2")["accept"]["summary"] == "[2, 4]"
    # As the worker does after each file.
    shutil.rmtree(worker.directory / "job-1")
    assert worker.answer("1 3") == {"later": {"seconds": 30.0, "reason": "n is 3"}}
    assert worker.end().status == 0


def test_long_texts_fit_into_a_line(persistent: Start) -> None:
    worker = persistent("""
def score(job):
    if job.path.read_text() == "refuse":
        raise ValueError("\\U0001f600" * 70_000)
    return Accept("\\U0001f600" * 70_000, {str(n): "\\U0001f600" * 70_000 for n in range(100)})
""")
    worker.ready()
    accepted = worker.answer()["accept"]
    assert accepted["summary"].startswith("\U0001f600" * 1000)
    assert accepted["labels"] == {"labels": "too long, left out"}
    assert worker.answer("refuse")["refuse"]["kind"] == "ValueError"


def test_a_thousand_jobs_open_nothing_that_stays(persistent: Start) -> None:
    worker = persistent("def score(job):\n    return str(len(os.listdir('/proc/self/fd')))")
    worker.ready()
    assert len({worker.answer()["accept"]["summary"] for _ in range(1000)}) == 1
