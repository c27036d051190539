"""The small process above the server: starts it, restarts it, passes signals on. Standard library only.

A malformed chunked body aborts the whole server process below Python (Robyn), so somebody must outlive it.
Until the server has said that it is ready once, its failure is final; after that every death but an asked-for
one is followed by a restart. The server dies with its supervisor.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

VARIABLE = "ROBYN_SERVER_SUPERVISED"
"""Set for the server process only: `<ready fd>,<lifeline fd>,<supervisor pid>`."""

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 30.0
RELOAD_GRACE = 5.0
POLL = 1.0
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Tie:
    """The server's side of the bond with its supervisor."""

    ready_fd: int

    def ready(self) -> None:
        """Tell the supervisor that the port is bound."""
        os.write(self.ready_fd, b"1")
        os.close(self.ready_fd)


def tie_to_supervisor() -> Tie | None:
    """In a supervised process: make sure it dies with its supervisor. None where nobody supervises."""
    described = os.environ.pop(VARIABLE, None)
    if described is None:
        return None
    ready_fd, lifeline_fd, supervisor_pid = (int(part) for part in described.split(","))
    for fd in (ready_fd, lifeline_fd):
        os.set_inheritable(fd, False)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The supervisor may have died before the line above.
        if os.getppid() != supervisor_pid:
            os._exit(1)
    else:
        threading.Thread(target=die_at_end_of, args=(lifeline_fd,), name="lifeline", daemon=True).start()
    return Tie(ready_fd)


def die_at_end_of(lifeline_fd: int) -> None:
    """Wait until the supervisor's end of the pipe is closed, which its death does."""
    os.read(lifeline_fd, 1)
    os.kill(os.getpid(), signal.SIGKILL)


class Child:
    """One server process, and whether it has said that it is ready."""

    def __init__(self, command: Sequence[str]) -> None:
        self.ready = False
        self.started_at = time.monotonic()
        self._ready_fd, theirs = os.pipe()
        lifeline_fd, self._lifeline_fd = os.pipe()
        described = f"{theirs},{lifeline_fd},{os.getpid()}"
        # Its own group: Ctrl-C reaches it once, through the supervisor.
        self.process = subprocess.Popen(
            command,
            env={**os.environ, VARIABLE: described},
            pass_fds=(theirs, lifeline_fd),
            process_group=0,
        )
        os.close(theirs)
        os.close(lifeline_fd)
        os.set_blocking(self._ready_fd, False)

    def exit_code(self) -> int | None:
        """As a shell would say it (128 + signal); None while it lives."""
        code = self.process.poll()
        self._listen()
        if code is None:
            return None
        return 128 - code if code < 0 else code

    def _listen(self) -> None:
        if not self.ready:
            try:
                self.ready = os.read(self._ready_fd, 1) == b"1"
            except BlockingIOError:
                return

    def send(self, number: int) -> None:
        """Send a signal unless it is gone."""
        self.process.send_signal(number)

    def forget(self) -> None:
        """Close our ends of its pipes."""
        os.close(self._ready_fd)
        os.close(self._lifeline_fd)


class Supervisor:
    """Keeps one server process alive until told to stop."""

    def __init__(self, command: Sequence[str], changed: Callable[[], bool] | None = None) -> None:
        self._command = command
        self._changed = changed
        self._pending: list[int] = []
        self._asked_to_stop = False
        self._was_ready = False
        self._delay = FIRST_DELAY
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._wake.setblocking(False)
        waker.setblocking(False)

    def run(self) -> int:
        """Until the server has ended for good; its exit code."""
        self._listen_to_signals()
        while True:
            child = Child(self._command)
            code, reloading = self._watch(child)
            child.forget()
            self._was_ready = self._was_ready or child.ready
            # An exit before it ever served says that it cannot start; a kill or an abort says nothing of that.
            if self._asked_to_stop or (not self._was_ready and code <= 128):
                return code
            if reloading:
                continue
            self._say(f"The server process ended unexpectedly ({describe(code)}); it is started again.")
            if not self._wait_before_restart(child):
                return code

    def _listen_to_signals(self) -> None:
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in STOPPING:
            # A hang-up that nohup has silenced stays silenced.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop(self, number: int, _frame: object) -> None:
        self._asked_to_stop = True
        self._pending.append(number)

    def _watch(self, child: Child) -> tuple[int, bool]:
        """Until the process has ended: its exit code, and whether a change of files was the reason."""
        kill_at: float | None = None
        while True:
            while self._pending:
                child.send(self._pending.pop(0))
            code = child.exit_code()
            if code is not None:
                return code, kill_at is not None
            if kill_at is not None and time.monotonic() > kill_at:
                child.send(signal.SIGKILL)
            elif kill_at is None and self._changed is not None and self._changed():
                self._say("A file has changed; the server is started again.")
                child.send(signal.SIGTERM)
                kill_at = time.monotonic() + RELOAD_GRACE
            self._sleep(POLL if self._changed else None)

    def _wait_before_restart(self, child: Child) -> bool:
        """Back off; False when told to stop meanwhile."""
        if time.monotonic() - child.started_at > HEALTHY_AFTER:
            self._delay = FIRST_DELAY
        until = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)
        while not self._asked_to_stop and time.monotonic() < until:
            if self._changed is not None and self._changed():
                break
            self._sleep(min(POLL, until - time.monotonic()))
        return not self._asked_to_stop

    def _sleep(self, seconds: float | None) -> None:
        """Until a signal arrives (a child's end is one), at most so long."""
        select.select([self._wake], [], [], None if seconds is None else max(seconds, 0.0))
        try:
            self._wake.recv(4096)
        except BlockingIOError:
            return

    def _say(self, sentence: str) -> None:
        sys.stderr.write(f"robyn_server: {sentence}\n")
        sys.stderr.flush()


def describe(code: int) -> str:
    """An exit code in words."""
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"
