"""The data directory: made private, on a local file system, held by one server at a time.

Two locks. `lock`: one server. `workers.lock`: shared by a server that leaves the runs to worker processes and by those
workers, or held by one process that works alone.
"""

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

from robyn_server.errors import StartupError

LOCK_FILE = "lock"
WORKERS_LOCK_FILE = "workers.lock"

A_MOMENT = 0.2
LOOK_EVERY = 0.02
"""Seconds."""

# SQLite's locks and its shared memory do not work over a network.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs",
     "lustre", "gpfs", "ocfs2", "gfs2", "davfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse",
     "fuse.glusterfs", "fuse.davfs", "fuse.davfs2", "fuse.ceph"}
)  # fmt: skip

MOUNTS = Path("/proc/mounts")


class DataDir:
    """A data directory that this process holds until `release` or its end."""

    def __init__(self, path: Path, locks: Sequence[int], workers_alive: bool = False) -> None:
        self.path = path
        self.workers_alive = workers_alive
        """Whether worker processes had joined before."""
        self._locks = list(locks)

    def release(self) -> None:
        """Let others have it. May be called twice."""
        while self._locks:
            os.close(self._locks.pop())


def hold_data_dir(path: Path, mounts: Path = MOUNTS, *, for_workers: bool = False) -> DataDir:
    """Make the directory if need be and hold it; with `for_workers`, so that workers may join. Raises `StartupError`
    when it cannot be made or written, lies on a network file system, or others hold it."""
    _prepare(path, mounts)
    lock = _open(path, LOCK_FILE)
    if not _locked(lock, fcntl.LOCK_EX):
        holder = _holder(lock)
        os.close(lock)
        raise StartupError(
            f"The data directory {path} is in use by process {holder or '(unknown)'}: stop that process,"
            " or choose another folder with --data-dir."
        )
    _sign(lock, f"{os.getpid()}\n")
    workers = _open(path, WORKERS_LOCK_FILE)
    alone = _locked_soon(workers, fcntl.LOCK_EX)
    if not alone and not for_workers:
        _, _, holder = _holder(workers).partition(" ")
        os.close(workers)
        os.close(lock)
        raise StartupError(
            f"Worker processes use the data directory {path} (the last to come was {holder or '(unknown)'}): serve"
            " with --no-worker, or stop them."
        )
    if for_workers:
        fcntl.flock(workers, fcntl.LOCK_SH)
    if alone:
        _sign(workers, f"server {os.getpid()}\n")
    return DataDir(path, (workers, lock), workers_alive=not alone)


def join_data_dir(path: Path, mounts: Path = MOUNTS) -> DataDir:
    """Hold the directory as one of its workers. Raises `StartupError` when it cannot be used, or a process works alone
    on it."""
    _prepare(path, mounts)
    workers = _open(path, WORKERS_LOCK_FILE)
    if not _locked_soon(workers, fcntl.LOCK_SH):
        _, _, pid = _holder(workers).partition(" ")
        os.close(workers)
        raise StartupError(
            f"Process {pid or '(unknown)'} executes the runs of {path} itself: start that server with --no-worker,"
            " or choose another folder with --data-dir."
        )
    _sign(workers, f"worker {os.getpid()}\n")
    return DataDir(path, (workers,))


def _open(path: Path, name: str) -> int:
    try:
        return os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _locked_soon(lock: int, kind: int) -> bool:
    """Others may look, or change from one lock to the other, at this moment."""
    give_up_at = time.monotonic() + A_MOMENT
    while not _locked(lock, kind):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(LOOK_EVERY)
    return True


def _holder(lock: int) -> str:
    return os.pread(lock, 32, 0).decode("ascii", "replace").strip()


def _sign(lock: int, text: str) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, text.encode(), 0)


def _prepare(path: Path, mounts: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error
    kind = file_system_of(path.resolve(), mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StartupError(
            f"The data directory {path} lies on a network file system ({kind}), where SQLite loses data:"
            " choose a folder on a local disk with --data-dir."
        )


def file_system_of(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system that an absolute path lies on; None where there is no list of mounts."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    best: tuple[int, str | None] = (0, None)
    for line in lines:
        _, mounted, kind, *_ = line.split(" ")
        # The list writes blanks and the like as \040.
        place = Path(mounted.encode().decode("unicode_escape"))
        # The last of several mounts on one place is the one that is seen.
        if path.is_relative_to(place) and len(place.parts) >= best[0]:
            best = (len(place.parts), kind)
    return best[1]


def _unusable(path: Path, error: OSError) -> StartupError:
    return StartupError(
        f"The data directory {path} cannot be used ({error.strerror}): check its owner and rights,"
        " or choose another folder with --data-dir."
    )
