"""Graph factories: which arguments they take, and one call of one.

A factory takes nothing, `config`, a runtime, or both; it gives a graph, a builder, or a (async) context
manager of either, at once or as a coroutine.
"""

import functools
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph_sdk.auth.types import BaseUser

# The SDK has no public way to make a runtime; these two are what `ServerRuntime` stands for.
from langgraph_sdk.runtime import ServerRuntime, _ExecutionRuntime, _ReadRuntime

from robyn_server.graphs.interfaces import Purpose
from robyn_server.resources.types import Json
from robyn_server.resources.user import User

Kind = Literal["config", "runtime"]
RUNTIME_TYPES = (ServerRuntime, _ExecutionRuntime, _ReadRuntime)
CARRIED = ("recursion_limit", "tags", "metadata")


class BadFactory(Exception):
    """The factory asks for an argument that nobody can give; the text says which."""


@dataclass(frozen=True, slots=True)
class Factory:
    """A callable that makes a graph, and what to call it with, parameter by parameter."""

    call: Callable[..., Any]
    parameters: Mapping[str, Kind]
    positional: tuple[Kind, ...] = ()
    """For parameters that have no name to the outside."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One use of a graph, as its factory is told."""

    config: RunnableConfig
    store: BaseStore | None
    purpose: Purpose
    context: Json


def factory_from(call: Callable[..., Any]) -> Factory:
    """Read a factory's signature. Raises `BadFactory`."""
    signature = inspect.signature(call)
    hints = _hints(call)
    named: dict[str, Kind] = {}
    positional: list[Kind] = []
    required = [p for p in signature.parameters.values() if _is_required(p)]
    for parameter in signature.parameters.values():
        kind = _kind(parameter, hints.get(parameter.name, parameter.annotation))
        if kind is None and required == [parameter]:
            # A lone argument is the config, whatever its name and annotation.
            kind = "config"
        if kind is None and parameter in required:
            raise BadFactory(f"takes {parameter.name!r}, but a factory can take only a config and a runtime")
        if kind is not None and parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(kind)
        elif kind is not None:
            named[parameter.name] = kind
    return Factory(call, named, tuple(positional))


@asynccontextmanager
async def made_by(factory: Factory, occasion: Occasion) -> AsyncIterator[tuple[object, RunnableConfig]]:
    """What the factory gives, with context managers entered, and the top-level config keys that it changed in
    place (those apply to the run, as if bound with `with_config`)."""
    config = _factory_config(occasion)
    before = {key: _copied(config.get(key)) for key in CARRIED}
    given: dict[Kind, object] = {"config": config}
    if "runtime" in factory.parameters.values() or "runtime" in factory.positional:
        given["runtime"] = _runtime(occasion)
    made = factory.call(
        *(given[kind] for kind in factory.positional),
        **{name: given[kind] for name, kind in factory.parameters.items()},
    )
    if inspect.isawaitable(made):
        made = await made
    changed = cast(
        RunnableConfig, {key: config.get(key) for key in CARRIED if config.get(key) != before[key]}
    )
    if isinstance(made, AbstractAsyncContextManager):
        async with made as graph:
            yield graph, changed
    elif isinstance(made, AbstractContextManager):
        with made as graph:
            yield graph, changed
    else:
        yield made, changed


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


def _factory_config(occasion: Occasion) -> RunnableConfig:
    """A config of the factory's own: it may index any usual key, and change it without touching the run's."""
    configurable = {
        **occasion.config.get("configurable", {}),
        "__is_for_execution__": occasion.purpose == "threads.create_run",
    }
    defaults: RunnableConfig = {"tags": [], "metadata": {}, "callbacks": None}
    config = cast(RunnableConfig, {**defaults, **occasion.config, "configurable": configurable})
    config["tags"] = list(config.get("tags") or ())
    config["metadata"] = dict(config.get("metadata") or {})
    return config


def _runtime(occasion: Occasion) -> object:
    user = cast("BaseUser | None", _user(occasion.config.get("configurable", {})))
    # The SDK types the store as always there; a bare registry (a check, a test) has none.
    store = cast(BaseStore, occasion.store)
    if occasion.purpose == "threads.create_run":
        return _ExecutionRuntime(
            access_context=occasion.purpose, user=user, store=store, context=occasion.context
        )
    return _ReadRuntime(access_context=occasion.purpose, user=user, store=store)


def _user(configurable: Mapping[str, Any]) -> object | None:
    user = configurable.get("langgraph_auth_user")
    return User(user) if isinstance(user, Mapping) else user


def _is_required(parameter: inspect.Parameter) -> bool:
    catch_all = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in catch_all


def _kind(parameter: inspect.Parameter, annotation: Any) -> Kind | None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return None
    for hint in (annotation, *typing.get_args(annotation)):
        if hint is RunnableConfig or (isinstance(hint, str) and "RunnableConfig" in hint):
            return "config"
        if hint in RUNTIME_TYPES or typing.get_origin(hint) in RUNTIME_TYPES:
            return "runtime"
        if isinstance(hint, str) and "ServerRuntime" in hint:
            return "runtime"
    if parameter.name in ("config", "runtime"):
        return cast(Kind, parameter.name)
    return None


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    """Annotations with their strings resolved; those that cannot be resolved stay strings."""
    while isinstance(call, functools.partial):
        call = call.func
    target = (
        call if inspect.isroutine(call) else (call.__init__ if inspect.isclass(call) else type(call).__call__)
    )
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError):
        # Names imported for type checkers only.
        return {}
