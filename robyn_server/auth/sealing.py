"""Seals secrets before they are stored: AES-256-GCM under the operator's key or one made on first use."""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from robyn_server.errors import StartupError
from robyn_server.settings import Settings

KEY_FILE = "secret.key"
RUN_SECRETS = b"robyn_server run secrets"
STREAM_TICKETS = b"robyn_server stream tickets"
_VERSION = b"\x01"
_NONCE = 12


class CannotOpen(Exception):
    """The sealed bytes are damaged or were sealed with another key."""


class Sealer:
    """`open(seal(plain)) == plain`, and nobody without the key can read or change what lies between."""

    def __init__(self, key_material: bytes, purpose: bytes = RUN_SECRETS) -> None:
        key = HKDF(SHA256(), length=32, salt=None, info=purpose).derive(key_material)
        self._cipher = AESGCM(key)

    @classmethod
    def from_settings(cls, settings: Settings, purpose: bytes = RUN_SECRETS) -> "Sealer":
        """With SECRET_KEY when set, else with the key file of the data directory, made (0600) if missing. What was
        sealed for one purpose cannot be opened for another.

        Raises `StartupError`.
        """
        if settings.secret_key:
            return cls(settings.secret_key.encode(), purpose)
        return cls(_key_from_file(settings.data_dir / KEY_FILE), purpose)

    def seal(self, plain: bytes) -> bytes:
        """The sealed form; another one each time."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, _VERSION)

    def open(self, sealed: bytes) -> bytes:
        """The plain form. Raises `CannotOpen`."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE:
            raise CannotOpen("This is not a sealed secret")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _VERSION)
        except InvalidTag as error:
            raise CannotOpen("The secret was sealed with another key or is damaged") from error


def _key_from_file(path: Path) -> bytes:
    try:
        if not path.exists():
            _make_key_file(path)
        text = path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        raise StartupError(
            f"The key file {path} cannot be read or made: {error}. Repair it or set SECRET_KEY."
        ) from error
    if len(key) != 32:
        raise StartupError(f"The key file {path} is damaged: restore it from a backup or set SECRET_KEY.")
    return key


def _make_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces the key of a process that was quicker.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
