"""Ciphers, for what keeps data: everything works alike without encryption and with it."""

import pytest

from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, Cipher, DerivedKeys


@pytest.fixture(params=["clear", "sealed"])
def cipher(request: pytest.FixtureRequest) -> Cipher:
    """None, and AES."""
    return AesGcm(DerivedKeys(bytes(32))) if request.param == "sealed" else CLEAR
