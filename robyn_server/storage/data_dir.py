"""The data directory: made private, on a local file system, held by one server at a time."""

import fcntl
import os
from pathlib import Path

from robyn_server.errors import StartupError

LOCK_FILE = "lock"

# SQLite's locks and its shared memory do not work over a network.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs",
     "lustre", "gpfs", "ocfs2", "gfs2", "davfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse",
     "fuse.glusterfs", "fuse.davfs", "fuse.davfs2", "fuse.ceph"}
)  # fmt: skip

MOUNTS = Path("/proc/mounts")


class DataDir:
    """A data directory that this process holds until `release` or its end."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    def release(self) -> None:
        """Let others have it. May be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def hold_data_dir(path: Path, mounts: Path = MOUNTS) -> DataDir:
    """Make the directory if need be and hold it. Raises `StartupError` when it cannot be made or written,
    lies on a network file system, or another process holds it."""
    _prepare(path, mounts)
    try:
        lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StartupError(
            f"The data directory {path} is in use by process {holder or '(unknown)'}: stop that process,"
            " or choose another folder with --data-dir."
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return DataDir(path, lock)


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
