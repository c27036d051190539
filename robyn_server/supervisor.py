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


class Charge:
    """One process that is kept alive."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        self.child: Child | None = None
        self.code = 0
        """How it ended last."""
        self.failed = False
        """It cannot start."""
        self.start_at: float | None = 0.0
        """When it is to be started; None while it lives."""
        self._command = command
        self._name = name
        self._was_ready = False
        self._delay = FIRST_DELAY
        self._kill_at: float | None = None

    def start(self) -> None:
        """Start it if it is time."""
        if self.start_at is not None and time.monotonic() >= self.start_at:
            self.child = Child(self._command)
            self.start_at = None

    def has_ended(self, *, asked: bool) -> bool:
        """Whether it is gone; unless it was asked to go, it will be started again."""
        if self.child is None:
            return True
        code = self.child.exit_code()
        if code is not None:
            self._ended(self.child, code, asked)
            return True
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self.child.send(signal.SIGKILL)
        return False

    def reload(self) -> None:
        """Start it again, now."""
        if self.child is None:
            self.start_at = 0.0
        elif self._kill_at is None:
            self.child.send(signal.SIGTERM)
            self._kill_at = time.monotonic() + RELOAD_GRACE

    def send(self, number: int) -> None:
        """Send a signal unless it is gone."""
        if self.child is not None:
            self.child.send(number)

    def _ended(self, child: Child, code: int, asked: bool) -> None:
        self.child, self.code = None, code
        child.forget()
        self._was_ready = self._was_ready or child.ready
        reloading, self._kill_at = self._kill_at is not None, None
        # An exit before it was ever ready says that it cannot start; a kill or an abort says nothing of that.
        self.failed = not asked and not self._was_ready and code <= 128
        if asked or self.failed:
            return
        if reloading:
            self.start_at = 0.0
            return
        say(f"The {self._name} process ended unexpectedly ({describe(code)}); it is started again.")
        if time.monotonic() - child.started_at > HEALTHY_AFTER:
            self._delay = FIRST_DELAY
        self.start_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)


class Supervisor:
    """Keeps a server process, and workers beside it, alive until told to stop."""

    def __init__(
        self,
        command: Sequence[str],
        changed: Callable[[], bool] | None = None,
        workers: Sequence[Sequence[str]] = (),
    ) -> None:
        self._charges = [Charge(command, "server"), *(Charge(worker, "worker") for worker in workers)]
        self._changed = changed
        self._pending: list[int] = []
        self._asked_to_stop = False
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._wake.setblocking(False)
        waker.setblocking(False)

    def run(self) -> int:
        """Until all have ended for good. The exit code: of one that cannot start, else of the server."""
        self._listen_to_signals()
        while not self._asked_to_stop:
            for charge in self._charges:
                charge.start()
            self._sleep(self._pause())
            self._look()
            for charge in self._charges:
                if charge.has_ended(asked=self._asked_to_stop) and charge.failed:
                    self._on_stop(signal.SIGTERM, None)
        while True:
            self._pass_signals_on()
            if all([charge.has_ended(asked=True) for charge in self._charges]):
                return max(self._charges, key=lambda charge: charge.failed).code
            self._sleep(POLL if self._changed else None)

    def _look(self) -> None:
        if self._changed is not None and self._changed():
            if any(charge.child for charge in self._charges):
                say("A file has changed; the server is started again.")
            for charge in self._charges:
                charge.reload()

    def _pass_signals_on(self) -> None:
        while self._pending:
            number = self._pending.pop(0)
            for charge in self._charges:
                charge.send(number)

    def _pause(self) -> float | None:
        """Until something is to be done without a signal."""
        if self._changed is not None:
            return POLL
        times = [charge.start_at for charge in self._charges if charge.start_at is not None]
        return min(times) - time.monotonic() if times else None

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

    def _sleep(self, seconds: float | None) -> None:
        """Until a signal arrives (a child's end is one), at most so long."""
        select.select([self._wake], [], [], None if seconds is None else max(seconds, 0.0))
        try:
            self._wake.recv(4096)
        except BlockingIOError:
            return


def say(sentence: str) -> None:
    """Tell the operator."""
    sys.stderr.write(f"robyn_server: {sentence}\n")
    sys.stderr.flush()


def describe(code: int) -> str:
    """An exit code in words."""
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"
