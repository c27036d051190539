"""People with tokens, a machine with a key, and the operator: who asks a server in mode `supabase`."""

import hashlib
import time
import uuid

import jwt

SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"
SERVICE_KEY = "the-operators-own-key"
MACHINE_KEY = "the-key-of-a-machine"
ANN = str(uuid.UUID(int=0xA))
BOB = str(uuid.UUID(int=0xB))

ENVIRON = {
    "SUPABASE_JWT_SECRET": SECRET,
    "SERVICE_KEYS": SERVICE_KEY,
    "API_KEYS": f"{hashlib.sha256(MACHINE_KEY.encode()).hexdigest()}:{BOB}",
    "SHUTDOWN_GRACE_SECONDS": "1",
}


def token(user: str, secret: str = SECRET, **claims: object) -> str:
    """A Supabase token as HS256 projects sign them."""
    said = {"sub": user, "aud": "authenticated", "role": "authenticated", "exp": int(time.time()) + 3600}
    return jwt.encode({**said, **claims}, secret, "HS256")


def bearer(user: str, **more: object) -> dict[str, str]:
    """The headers of a signed-in user."""
    return {"authorization": f"Bearer {token(user, **more)}"}  # type: ignore[arg-type]


SERVICE = {"x-auth-scheme": "langsmith", "x-api-key": SERVICE_KEY}
MACHINE = {"x-api-key": MACHINE_KEY}
