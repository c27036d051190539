"""Encryption at rest: what is sealed before it is written, and opened after it is read.

A sealed value is the byte 1, the id of its data key (16 bytes), a nonce (12), and AES-GCM of the plain bytes; what
stands before the ciphertext is authenticated with it. JSON never begins with the byte 1, so rows from before
encryption was turned on are told from sealed ones, and still read.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from robyn_server.errors import Unavailable

KEY_ID_BYTES = 16
MOST_KEYS = 4096
"""Data keys kept ready; each start of a server has one of its own."""

_SEALED = b"\x01"
_NONCE_BYTES = 12
_HEADER = len(_SEALED) + KEY_ID_BYTES + _NONCE_BYTES
_PURPOSE = b"robyn_server data at rest"


class CannotOpen(Unavailable):
    """Stored data is damaged, or was sealed with a key that this server does not have."""

    default = "Stored data cannot be decrypted: it is damaged, or was encrypted with another key."


class Cipher(Protocol):
    """May be used from any thread."""

    seals: bool
    """Whether it changes anything."""
    may_wait: bool
    """Whether it may have to ask somebody for a key, which an event loop must not wait for."""

    def seal(self, plain: bytes) -> bytes:
        """What is stored in the place of `plain`."""

    def open(self, stored: bytes) -> bytes:
        """The plain bytes. Raises `CannotOpen`."""


class Keys(Protocol):
    """Data keys by their id."""

    may_wait: bool
    """As of `Cipher`."""

    def current(self) -> bytes:
        """Id of the key to seal with now. Each process has its own: none ever sees one nonce twice."""

    def key(self, key_id: bytes) -> bytes:
        """The key, 32 bytes. Raises `CannotOpen`."""


class Clear:
    """No encryption."""

    seals = False
    may_wait = False

    def seal(self, plain: bytes) -> bytes:
        """`plain`."""
        return plain

    def open(self, stored: bytes) -> bytes:
        """See `Cipher`: only what is sealed is ever asked for."""
        raise CannotOpen


CLEAR = Clear()


class AesGcm:
    """AES-256-GCM under data keys."""

    seals = True

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.may_wait = keys.may_wait
        self._ready: dict[bytes, AESGCM] = {}
        self._lock = threading.Lock()
        self._nonces: Iterator[int] = itertools.count()

    def seal(self, plain: bytes) -> bytes:
        """See `Cipher`; another form each time, 45 bytes longer."""
        key_id = self._keys.current()
        nonce = next(self._nonces).to_bytes(_NONCE_BYTES, "big")
        header = b"".join((_SEALED, key_id, nonce))
        return header + self._cipher(key_id).encrypt(nonce, plain, header)

    def open(self, stored: bytes) -> bytes:
        """See `Cipher`."""
        header = stored[:_HEADER]
        if not is_sealed(stored) or len(header) < _HEADER:
            raise CannotOpen
        key_id, nonce = header[1 : 1 + KEY_ID_BYTES], header[1 + KEY_ID_BYTES :]
        try:
            return self._cipher(key_id).decrypt(nonce, stored[_HEADER:], header)
        except InvalidTag as error:
            raise CannotOpen from error

    def _cipher(self, key_id: bytes) -> AESGCM:
        found = self._ready.get(key_id)
        if found is None:
            found = AESGCM(self._keys.key(key_id))
            with self._lock:
                if len(self._ready) >= MOST_KEYS:
                    self._ready.clear()
                self._ready[key_id] = found
        return found


class DerivedKeys:
    """Data keys derived from one key of the operator's: 16, 24 or 32 bytes."""

    may_wait = False

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._current = os.urandom(KEY_ID_BYTES)

    def current(self) -> bytes:
        """See `Keys`."""
        return self._current

    def key(self, key_id: bytes) -> bytes:
        """See `Keys`."""
        return HKDF(SHA256(), length=32, salt=key_id, info=_PURPOSE).derive(self._master)


def is_sealed(stored: bytes) -> bool:
    """Whether bytes that are JSON when they are clear are sealed."""
    return stored[:1] == _SEALED
