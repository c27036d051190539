"""Says at the start whether the key fits the data, so that nobody learns it row by row."""

import sqlite3
from pathlib import Path

from robyn_server.errors import StartupError
from robyn_server.storage.encryption.cipher import CannotOpen, Cipher
from robyn_server.storage.sqlite_connection import connect

CANARY = b"The data of this file is sealed with this key."


def check_key(path: Path, cipher: Cipher, *, claim: bool = True) -> None:
    """Compare the cipher with the one that the database file (which exists) was sealed with; a file that never was
    takes this one (to `claim` it). Raises `StartupError`."""
    try:
        connection = connect(path)
        try:
            _check(connection, path, cipher, claim)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StartupError(f"The database {path} cannot be opened ({error}): check the file.") from error


def known_canary(path: Path) -> bytes | None:
    """What the database file keeps to recognise its key; None where nothing is sealed."""
    connection = connect(path)
    try:
        return _canary(connection)
    finally:
        connection.close()


def _canary(connection: sqlite3.Connection) -> bytes | None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sealed_with'").fetchone()
    row = connection.execute("SELECT canary FROM sealed_with").fetchone() if known else None
    return row[0] if row else None


def _check(connection: sqlite3.Connection, path: Path, cipher: Cipher, claim: bool) -> None:
    connection.execute("BEGIN IMMEDIATE")
    canary = _canary(connection)
    if canary is None and cipher.seals and claim:
        connection.execute("CREATE TABLE IF NOT EXISTS sealed_with (canary BLOB NOT NULL)")
        connection.execute("INSERT INTO sealed_with(canary) VALUES (?)", (cipher.seal(CANARY),))
    connection.execute("COMMIT")
    if canary is not None:
        refuse_another(cipher, canary, str(path))


def refuse_another(cipher: Cipher, canary: bytes, place: str, more: str = "") -> None:
    """Raises `StartupError`, which names `place` and ends with `more`, when the cipher did not seal the canary."""
    as_before = "set LANGGRAPH_AES_KEY (or encryption.path of langgraph.json) as it was"
    if not cipher.seals:
        raise StartupError(f"{place} is encrypted: {as_before}{more}.")
    try:
        cipher.open(canary)
    except CannotOpen:
        raise StartupError(f"{place} was encrypted with another key: {as_before}{more}.") from None
