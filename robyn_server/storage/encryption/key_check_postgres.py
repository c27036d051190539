"""`key_check.py` for a database that several servers share: the first to come says what it is sealed with."""

import psycopg

from robyn_server.errors import StartupError
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.encryption.key_check import CANARY, refuse_another
from robyn_server.storage.postgres_connection import conninfo, place_of


def check_key(uri: str, cipher: Cipher) -> None:
    """Compare the cipher with the one that the database, which is up to date, was sealed with; one that never was
    takes this one. Safe to run from several processes at once. Blocks. Raises `StartupError`."""
    place = f"The database {place_of(uri)}"
    try:
        canary = _canary(uri, cipher)
    except psycopg.Error as error:
        raise StartupError(f"{place} cannot be used: {error}.") from error
    if canary is not None:
        refuse_another(cipher, canary, place, more=", the same for all servers")


def _canary(uri: str, cipher: Cipher) -> bytes | None:
    with psycopg.connect(conninfo(uri), autocommit=True) as connection:
        found = connection.execute("SELECT canary FROM sealed_with").fetchone()
        if found is None and cipher.seals:
            mine = cipher.seal(CANARY)
            connection.execute("INSERT INTO sealed_with(canary) VALUES (%s) ON CONFLICT DO NOTHING", (mine,))
            found = connection.execute("SELECT canary FROM sealed_with").fetchone()
    return bytes(found[0]) if found else None
