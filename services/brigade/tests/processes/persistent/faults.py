"""A persistent program that does what the content of each file says. Its argument says how it starts."""

import json
import os
import signal
import subprocess
import sys
import time

kept = []


def write(line: bytes) -> None:
    while line:
        line = line[os.write(4, line):]


def say(**message) -> None:
    write(json.dumps(message).encode() + b"\n")


def accept(job, summary="") -> None:
    say(id=job["id"], accept={"summary": summary or str(os.getpid())})


def jobs():
    pending = b""
    while True:
        while b"\n" not in pending:
            read = os.read(3, 65_536)
            if not read:
                return
            pending += read
        line, _, pending = pending.partition(b"\n")
        yield json.loads(line)["job"]


def note(name, text="") -> None:
    """Tells the test something, in a file of this name."""
    with open(os.path.join(os.environ["NOTES"], name), "a") as file:
        file.write(f"{text}\n")


def daemon() -> None:
    """A process that has left the group, and holds every pipe open."""
    if os.fork() == 0:
        os.setsid()
        note("daemon", os.getpid())
        time.sleep(600)
        os._exit(0)
    while not os.path.exists(os.path.join(os.environ["NOTES"], "daemon")):
        time.sleep(0.01)


def process(job, what) -> None:
    name, _, argument = what.partition(" ")
    if name == "exit":
        print("the last words", file=sys.stderr, flush=True)
        sys.exit(int(argument))
    elif name == "signal":
        print("the last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), getattr(signal, argument))
    elif name == "hang":
        say(id=job["id"], progress="3 of 8 channels")
        subprocess.Popen(["sleep", "600"])
        time.sleep(600)
    elif name == "flood":
        block = (b"x" * 1_000 + b"\n") * 1_000
        for _ in range(int(argument)):
            sys.stdout.buffer.write(block)
        sys.stdout.flush()
        accept(job)
    elif name == "endless-log":
        sys.stdout.write("x" * 1_000_000)
        sys.stdout.flush()
        accept(job)
    elif name == "endless-line":
        write(b"x" * 200_000)
        time.sleep(600)
    elif name == "nonsense":
        write(b"Loading the model...\n")
        time.sleep(600)
    elif name == "two-answers":
        accept(job)
        accept(job)
    elif name == "other-id":
        say(id="0000000000000000", accept={})
        time.sleep(600)
    elif name == "two-kinds":
        say(id=job["id"], accept={}, refuse={"reason": "both"})
        time.sleep(600)
    elif name == "idle-line":
        accept(job)
        time.sleep(0.2)
        say(id=job["id"], progress="late")
    elif name == "close":
        os.close(int(argument))
        if argument == "4":
            time.sleep(600)
        accept(job)
        time.sleep(600)
    elif name == "partial":
        write(json.dumps({"id": job["id"], "accept": {}}).encode())
        sys.exit(0)
    elif name == "leak":
        kept.extend(bytearray(b"x" * (1 << 20)) for _ in range(int(argument)))
        accept(job)
    elif name == "leak-and-stay":
        kept.extend(bytearray(b"x" * (1 << 20)) for _ in range(int(argument)))
        time.sleep(600)
    elif name == "daemon":
        daemon()
        if argument:
            sys.exit(int(argument))
        accept(job)
    elif name == "system":
        os.system("sleep 600 & echo $! >>\"$NOTES/child\"")
        accept(job)
    elif name == "wait":
        note("begun", os.getpid())
        while not os.path.exists(os.path.join(os.environ["NOTES"], "go")):
            time.sleep(0.01)
        accept(job)
    elif name == "descriptors":
        own = [os.readlink(f"/proc/self/fd/{number}") for number in range(1, 5)]
        every = [os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.exists(entry.path)]
        say(id=job["id"], accept={"summary": str(os.getpid()), "labels": {"own": own, "every": every}})
    elif name == "size":
        accept(job, str(len(json.dumps(job["object"]))))
    elif name == "recycle":
        say(id=job["id"], accept={"summary": str(os.getpid())}, recycle=True)
    elif name == "later":
        say(id=job["id"], later={"seconds": 7, "reason": "the database is locked"})
    elif name == "misconfigured":
        say(id=job["id"], misconfigured={"reason": "no licence"})
    elif name == "refuse":
        say(id=job["id"], refuse={"reason": "column day is missing", "kind": "no-day"})
    else:
        note("answered", f"{os.getpid()} {job['object']['name']}")
        accept(job)


def main(start="") -> None:
    if start == "never":
        print("loading for ever", file=sys.stderr, flush=True)
        time.sleep(600)
    elif start.startswith("exit"):
        print("no module named numpy", file=sys.stderr, flush=True)
        sys.exit(int(start[4:]))
    elif start == "not-ready":
        say(ready=False, reason="the model gs://models/7 does not exist")
        return
    elif start == "nonsense":
        write(b"Loading the model...\n")
        time.sleep(600)
    elif start == "once-there-is-a-file" and not os.path.exists(os.environ["NOTES"] + "/go"):
        print("there is no file yet", file=sys.stderr, flush=True)
        sys.exit(1)
    say(ready=True, protocol=1, name="faults")
    if start == "deaf":
        time.sleep(600)
    for job in jobs():
        with open(job["path"]) as file:
            what = file.read()
        process(job, what.strip())
    note("end", os.getpid())


main(*sys.argv[1:])
