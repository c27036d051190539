"""Mode `custom`: the `langgraph_sdk.Auth` object that langgraph.json names decides everything."""

import asyncio
import inspect
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth as Handlers
from langgraph_sdk.auth import types
from starlette.exceptions import HTTPException as StarletteException

from robyn_server.auth.handler_lookup import find_authenticator, find_handler
from robyn_server.auth.injection import arguments, wanted_parameters
from robyn_server.auth.interfaces import Credentials, Resource
from robyn_server.auth.returned_user import caller_from
from robyn_server.auth.service_key import STUDIO_IDENTITY, ServiceKeys, studio_user
from robyn_server.errors import DomainError, Forbidden, Refused, StartupError, Unauthenticated
from robyn_server.resources.caller import Caller
from robyn_server.resources.metadata_filter import EVERYTHING, BadFilter, MetadataFilter, parse_filter
from robyn_server.resources.types import JsonObject
from robyn_server.resources.user import User

logger = logging.getLogger(__name__)

_ID_KEYS = ("thread_id", "assistant_id", "run_id", "cron_id")


class CustomAuth:
    """Runs a project's handlers.

    The studio's user is let in by a service key only (`x-auth-scheme: langsmith` with `x-api-key`), never by
    the header alone, and his requests go through the handlers like everybody's.

    Raises `StartupError`, which names `place`, when the object cannot serve.
    """

    mode = "custom"

    def __init__(
        self,
        handlers: object,
        service_keys: ServiceKeys,
        *,
        studio_allowed: bool = True,
        place: str = "langgraph.json",
    ) -> None:
        if not isinstance(handlers, Handlers):
            raise StartupError(
                f"auth.path of {place} must name a langgraph_sdk.Auth object, not {type(handlers).__name__}."
            )
        authenticator = find_authenticator(handlers)
        if authenticator is None:
            raise StartupError(f"The Auth object of {place} has no @auth.authenticate handler: add one.")
        self._handlers = handlers
        self._authenticator = authenticator
        self._wanted = wanted_parameters(authenticator)
        self._is_async = inspect.iscoroutinefunction(authenticator) or inspect.iscoroutinefunction(
            getattr(authenticator, "__call__", None)  # noqa: B004 - an object with an async __call__
        )
        self._service_keys = service_keys
        self._studio_allowed = studio_allowed

    async def authenticate(self, credentials: Credentials) -> Caller:
        """See `interfaces.Authenticator`; also raises `Refused` with the handler's own status."""
        if self._studio_allowed and self._service_keys.admits(credentials.headers):
            return Caller(STUDIO_IDENTITY, STUDIO_IDENTITY, user=studio_user())
        given = arguments(self._wanted, credentials)
        try:
            return caller_from(await self._ask(given))
        except DomainError:
            raise
        except (Handlers.exceptions.HTTPException, StarletteException) as refusal:
            raise _refusal(refusal) from refusal
        except Exception as error:
            # A project's handler may raise anything; whatever it is, nobody was let in.
            logger.exception("The authenticate handler failed")
            raise Unauthenticated() from error

    async def authorize(
        self, caller: Caller, resource: Resource, action: str, value: JsonObject
    ) -> MetadataFilter:
        """See `interfaces.Authorizer`; no handler means allowed."""
        handler = find_handler(self._handlers, resource, action)
        if handler is None:
            return EVERYTHING
        context = types.AuthContext(
            permissions=list(caller.permissions),
            user=_user_for_handlers(caller),
            resource=resource,
            action=action,  # type: ignore[arg-type]  # the engine's actions are the SDK's
        )
        seen = {key: _as_id(item) if key in _ID_KEYS else item for key, item in value.items()}
        before = dict(seen)
        try:
            result = await handler(ctx=context, value=seen)
        except AssertionError as refusal:
            raise Forbidden(str(refusal)) from refusal
        except (Handlers.exceptions.HTTPException, StarletteException) as refusal:
            raise Refused(refusal.status_code, refusal.detail, refusal.headers) from refusal
        except Exception as error:
            logger.exception("The auth handler for %s %s failed", resource, action)
            raise Forbidden() from error
        _carry_over(seen, before, value)
        return _filter_of(result)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _ask(self, given: Mapping[str, Any]) -> Any:
        if self._is_async:
            return await self._authenticator(**given)
        # A plain function may wait for a database or the network: not on our loop.
        returned = await asyncio.to_thread(self._authenticator, **given)
        return await returned if inspect.isawaitable(returned) else returned


def _refusal(refusal: Handlers.exceptions.HTTPException | StarletteException) -> DomainError:
    if refusal.status_code == 401:
        return Unauthenticated(refusal.detail)
    if refusal.status_code == 403:
        return Forbidden(refusal.detail)
    if 400 <= refusal.status_code < 600:
        return Refused(refusal.status_code, refusal.detail)
    return Unauthenticated()


def _user_for_handlers(caller: Caller) -> Any:
    if caller.identity == STUDIO_IDENTITY and caller.user == studio_user():
        return types.StudioUser(STUDIO_IDENTITY)
    user = User(caller.user or {"identity": caller.identity, "display_name": "", "is_authenticated": False})
    user.setdefault("permissions", list(caller.permissions))
    if caller.token is not None:
        user["token"] = caller.token
    return user


def _as_id(item: Any) -> Any:
    """Handlers see ids as `uuid.UUID`, as on the reference."""
    try:
        return uuid.UUID(item) if isinstance(item, str) else item
    except ValueError:
        return item


def _carry_over(seen: JsonObject, before: JsonObject, value: JsonObject) -> None:
    """What the handler changed at the top level goes into `value`; deeper objects are shared anyway."""
    for key, item in seen.items():
        if key not in before or item is not before[key]:
            value[key] = str(item) if isinstance(item, uuid.UUID) else item
    for key in before.keys() - seen.keys():
        del value[key]


def _filter_of(result: Any) -> MetadataFilter:
    if result is None or result is True:
        return EVERYTHING
    if result is False:
        raise Forbidden()
    if not isinstance(result, dict):
        raise Refused(
            500,
            "Auth handler returned invalid result. Expected filter dict, None, or boolean."
            f" Got {type(result)} instead.",
        )
    try:
        return parse_filter(result)
    except BadFilter as error:
        raise Refused(500, str(error)) from error
