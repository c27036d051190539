import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from robyn_server.errors import StartupError
from robyn_server.storage.data_dir import file_system_of, hold_data_dir, join_data_dir
from robyn_server.storage.dialect import SqliteDialect
from robyn_server.storage.encryption.data_keys_sqlite import KEYS_FILE
from robyn_server.storage.encryption.data_keys_sqlite import STEPS as KEYS_STEPS
from robyn_server.storage.migrations import APP_FILE, STEPS, Step, bring_up_to_date, migrate, upgrade
from robyn_server.storage.opening import refuse_steps
from robyn_server.storage.sqlite_connection import connect, run_transition

HOLDER = """
import sys
from pathlib import Path
from robyn_server.storage.data_dir import hold_data_dir
held = hold_data_dir(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"held\n"
    with pytest.raises(StartupError, match=f"in use by process {process.pid}: stop that process, or choose"):
        hold_data_dir(path)
    process.kill()
    await process.wait()

    held = hold_data_dir(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with pytest.raises(StartupError, match=f"process {os.getpid()}:"):
        hold_data_dir(path)
    held.release()
    held.release()
    hold_data_dir(path).release()


def test_workers_join_a_server_that_lets_them_and_keep_out_one_that_works_alone(tmp_path: Path) -> None:
    server = hold_data_dir(tmp_path, for_workers=True)
    workers = [join_data_dir(tmp_path) for _ in range(2)]
    assert not server.workers_alive
    server.release()
    with pytest.raises(StartupError, match=f"the last to come was {os.getpid()}"):
        hold_data_dir(tmp_path)
    server = hold_data_dir(tmp_path, for_workers=True)
    assert server.workers_alive
    for held in (server, *workers):
        held.release()
    alone = hold_data_dir(tmp_path)
    with pytest.raises(StartupError, match=f"Process {os.getpid()} executes the runs"):
        join_data_dir(tmp_path)
    alone.release()


@pytest.mark.parametrize(("file", "steps"), [(APP_FILE, STEPS), (KEYS_FILE, KEYS_STEPS)])
def test_databases_that_workers_use_are_not_changed(
    tmp_path: Path, file: str, steps: tuple[Step, ...]
) -> None:
    refuse_steps(tmp_path)
    bring_up_to_date(tmp_path / file, steps)
    refuse_steps(tmp_path)
    connection = connect(tmp_path / file)
    connection.execute("INSERT INTO schema_version(version) VALUES (?)", (len(steps) + 1,))
    connection.close()
    with pytest.raises(StartupError, match="worker processes use it: stop them first"):
        refuse_steps(tmp_path)


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StartupError, match="cannot be used"):
            hold_data_dir(path)


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "overlay / overlay rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "/dev/sda1 /home/ada/my\\040disk ext4 rw 0 0\n"
        "//server/share /homes cifs rw 0 0\n"
        "tmpfs /homes tmpfs rw 0 0\n"
    )
    found = {
        path: file_system_of(Path(path), mounts)
        for path in ("/x", "/home/bob/.data", "/home/ada/my disk/.data", "/homes/bob", "/homely")
    }
    assert list(found.values()) == ["overlay", "nfs4", "ext4", "tmpfs", "overlay"]
    assert file_system_of(Path("/x"), tmp_path / "missing") is None


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("server:/ / nfs4 rw 0 0\n")
    with pytest.raises(StartupError, match=r"network file system \(nfs4\)"):
        hold_data_dir(tmp_path / "data", mounts=tmp_path / "mounts")


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    assert migrate(tmp_path) == len(STEPS)
    assert migrate(tmp_path) == 0


def test_later_steps_are_applied_to_an_older_database(tmp_path: Path) -> None:
    migrate(tmp_path)
    with sqlite3.connect(tmp_path / APP_FILE) as connection:
        steps = (*STEPS, lambda _: ("CREATE TABLE later (x)", "INSERT INTO later VALUES (1)"))
        ours = connect(tmp_path / APP_FILE)
        assert run_transition(ours, lambda: upgrade(SqliteDialect(), steps)) == 1
        assert run_transition(ours, lambda: upgrade(SqliteDialect(), steps)) == 0
        ours.close()
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (len(steps),)
    connection.close()


def test_a_database_newer_than_the_server_is_refused_and_left_alone(tmp_path: Path) -> None:
    migrate(tmp_path)
    with sqlite3.connect(tmp_path / APP_FILE) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99)")
    connection.close()
    with pytest.raises(StartupError, match=f"has version 99, but this server knows only {len(STEPS)}"):
        migrate(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / APP_FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(StartupError, match="cannot be opened"):
        migrate(tmp_path)
