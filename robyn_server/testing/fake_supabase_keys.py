"""The signing key of the Supabase stand-in."""

import json
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from robyn_server.resources.types import JsonObject

ALGORITHMS = ("ES256", "RS256", "HS256")


class Signer:
    """Signs and checks tokens; for ES256 and RS256 it also publishes its key."""

    def __init__(self, algorithm: str, secret: str, issuer: str) -> None:
        self.issuer = issuer
        self._algorithm = algorithm
        self._secret = secret
        self._key: Any = None
        self._key_id: str | None = None
        self.rotate()

    def rotate(self) -> None:
        """Take a new key; tokens of the old one are worth nothing from now on. HS256 keeps its secret."""
        if self._algorithm == "HS256":
            return
        self._key_id = str(uuid.uuid4())
        if self._algorithm == "ES256":
            self._key = ec.generate_private_key(ec.SECP256R1())
        else:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public_keys(self) -> list[JsonObject]:
        """The key set; empty for HS256."""
        if self._key is None:
            return []
        kind = ECAlgorithm if self._algorithm == "ES256" else RSAAlgorithm
        key: JsonObject = json.loads(kind.to_jwk(self._key.public_key()))
        return [{**key, "kid": self._key_id, "alg": self._algorithm, "use": "sig"}]

    def sign(self, claims: JsonObject) -> str:
        """A token."""
        headers = {"kid": self._key_id} if self._key_id else None
        return jwt.encode(claims, self._key or self._secret, self._algorithm, headers=headers)

    def check(self, token: str) -> JsonObject:
        """The claims of a good token. Raises `jwt.PyJWTError`."""
        key = self._key.public_key() if self._key is not None else self._secret
        claims: JsonObject = jwt.decode(token, key, [self._algorithm], audience="authenticated")
        return claims
