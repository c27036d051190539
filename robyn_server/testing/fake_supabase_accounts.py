"""The users of the Supabase stand-in and their sessions."""

import secrets
import time
import uuid

import jwt

from robyn_server.resources.clock import iso, now
from robyn_server.resources.types import JsonObject
from robyn_server.testing.fake_supabase_keys import Signer


class Refusal(Exception):
    """What GoTrue answers instead."""

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: JsonObject = {"code": status, "error_code": error_code, "msg": message}


class Accounts:
    """In memory, passwords included: nothing here is meant to be safe."""

    def __init__(self, signer: Signer, lifetime: int) -> None:
        self._signer = signer
        self._lifetime = lifetime
        self._users: dict[str, JsonObject] = {}
        self._passwords: dict[str, str] = {}
        self._refresh: dict[str, str] = {}

    def add(self, wanted: JsonObject) -> JsonObject:
        """A new user of `{email, password, user_metadata or data, app_metadata}`. Raises `Refusal`."""
        email, password = wanted.get("email"), wanted.get("password")
        if (
            not isinstance(email, str)
            or "@" not in email
            or not isinstance(password, str)
            or len(password) < 6
        ):
            raise Refusal(422, "validation_failed", "Signup requires a valid email and password")
        if self._by_email(email) is not None:
            raise Refusal(422, "user_already_exists", "User already registered")
        moment = iso(now())
        user: JsonObject = {
            "id": str(uuid.uuid4()),
            "aud": "authenticated",
            "role": "authenticated",
            "email": email,
            "email_confirmed_at": moment,
            "phone": "",
            "app_metadata": {
                "provider": "email",
                "providers": ["email"],
                **(wanted.get("app_metadata") or {}),
            },
            "user_metadata": wanted.get("user_metadata") or wanted.get("data") or {},
            "identities": [],
            "created_at": moment,
            "updated_at": moment,
        }
        self._users[user["id"]] = user
        self._passwords[user["id"]] = password
        return user

    def grant(self, kind: str, given: JsonObject) -> JsonObject:
        """A session for a password or a refresh token. Raises `Refusal`."""
        if kind == "password":
            user = self._by_email(given.get("email"))
            if user is None or self._passwords[user["id"]] != given.get("password"):
                raise Refusal(400, "invalid_credentials", "Invalid login credentials")
            return self.session(user)
        if kind == "refresh_token":
            user_id = self._refresh.pop(str(given.get("refresh_token")), None)
            if user_id is None:
                raise Refusal(
                    400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"
                )
            return self.session(self._users[user_id])
        raise Refusal(400, "invalid_request", "unsupported_grant_type")

    def session(self, user: JsonObject) -> JsonObject:
        """`{"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"}`."""
        issued = int(time.time())
        claims = {
            "iss": self._signer.issuer,
            "sub": user["id"],
            "aud": "authenticated",
            "exp": issued + self._lifetime,
            "iat": issued,
            "session_id": str(uuid.uuid4()),
            **{key: user[key] for key in ("email", "phone", "role", "app_metadata", "user_metadata")},
        }
        refresh_token = secrets.token_urlsafe(16)
        self._refresh[refresh_token] = user["id"]
        return {
            "access_token": self._signer.sign(claims),
            "token_type": "bearer",
            "expires_in": self._lifetime,
            "expires_at": claims["exp"],
            "refresh_token": refresh_token,
            "user": user,
        }

    def user_of(self, token: str) -> JsonObject:
        """The user a token belongs to. Raises `Refusal`."""
        if not token:
            raise Refusal(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            claims = self._signer.check(token)
        except jwt.PyJWTError as error:
            raise Refusal(403, "bad_jwt", f"invalid JWT: {error}") from error
        user = self._users.get(claims.get("sub", ""))
        if user is None:
            raise Refusal(403, "user_not_found", "User from sub claim in JWT does not exist")
        return user

    def _by_email(self, email: object) -> JsonObject | None:
        return next((user for user in self._users.values() if user["email"] == email), None)
