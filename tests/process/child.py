"""A small program to supervise. It writes a line of facts to a file for every start:

    child.py FACTS [fail | never_ready | stubborn]

`pid` stands there once the child is ready (and its signal handlers set)."""

import os
import signal
import sys
import threading
from pathlib import Path

from robyn_server.supervisor import tie_to_supervisor

facts, *habits = sys.argv[1:]
tie = tie_to_supervisor()
assert tie is not None


def note(line: str) -> None:
    with Path(facts).open("a") as file:
        file.write(line + "\n")


if "fail" in habits:
    sys.stderr.write("no such graph\n")
    sys.exit(2)

stop = threading.Event()
received: list[int] = []


def on_signal(number: int, _frame: object) -> None:
    received.append(number)
    stop.set()


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, on_signal)
if "never_ready" not in habits:
    tie.ready()
note(f"pid {os.getpid()}")
stop.wait()
note(f"signal {received[0]}")
sys.exit(7 if received[0] == signal.SIGHUP else 0)
