"""What AES-GCM seals, it opens, and nothing else does."""

import pytest

from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, CannotOpen, DerivedKeys, is_sealed

KEY = b"0123456789abcdef"


@pytest.mark.parametrize("key", [bytes(16), bytes(24), bytes(32)])
@pytest.mark.parametrize("plain", [b"", b"{}", b"\x01\xff" * 5000])
def test_what_was_sealed_can_be_opened_also_after_a_restart(key: bytes, plain: bytes) -> None:
    sealed = AesGcm(DerivedKeys(key)).seal(plain)
    assert is_sealed(sealed) and (not plain or plain not in sealed)
    assert AesGcm(DerivedKeys(key)).open(sealed) == plain


def test_the_same_twice_looks_different() -> None:
    cipher = AesGcm(DerivedKeys(KEY))
    assert cipher.seal(b"plain") != cipher.seal(b"plain")


@pytest.mark.parametrize("place", [0, 1, 17, 28, 29, -1])
def test_what_was_changed_is_not_opened(place: int) -> None:
    cipher = AesGcm(DerivedKeys(KEY))
    sealed = bytearray(cipher.seal(b"plain"))
    sealed[place] ^= 1
    with pytest.raises(CannotOpen):
        cipher.open(bytes(sealed))


def test_another_key_opens_nothing() -> None:
    sealed = AesGcm(DerivedKeys(KEY)).seal(b"plain")
    for cipher in (CLEAR, AesGcm(DerivedKeys(KEY[::-1]))):
        with pytest.raises(CannotOpen, match="cannot be decrypted"):
            cipher.open(sealed)


@pytest.mark.parametrize("stored", [b"", b"\x01", b"{}", b"\x01" + bytes(28)])
def test_what_is_not_sealed_is_not_opened(stored: bytes) -> None:
    with pytest.raises(CannotOpen):
        AesGcm(DerivedKeys(KEY)).open(stored)
