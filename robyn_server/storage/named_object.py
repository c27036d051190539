"""Opens what langgraph.json names in the place of a part of this storage."""

import inspect
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from robyn_server.errors import StartupError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named:
    """`place` says where it is named, as in `"store.path" in langgraph.json`. `found` is the part itself, or a function
    without parameters (sync or async) or a context manager (sync or async) that gives it."""

    place: str
    found: object


async def open_named(named: Named, kind: type[T], opened: AsyncExitStack) -> T:
    """The part, an instance of `kind`, on the running loop; `opened` closes it. Raises `StartupError`."""
    try:
        made = await _made(named.found, kind, opened)
    except Exception as error:  # a project's code may raise anything
        reason = str(error).strip().splitlines()
        raise StartupError(
            f"{named.place} cannot be opened: {type(error).__name__}{': ' + reason[0] if reason else ''}"
        ) from error
    if isinstance(made, kind):
        return made
    if inspect.isasyncgen(made) or inspect.isgenerator(made):
        raise StartupError(
            f"{named.place} names a generator: decorate it with @contextlib.asynccontextmanager."
        )
    raise StartupError(
        f"{named.place} must give a {kind.__name__}, not {type(made).__name__}: name another object."
    )


async def _made(found: object, kind: type[T], opened: AsyncExitStack) -> object:
    made: Any = found
    if not isinstance(made, kind) and callable(made):
        made = made()
    if inspect.isawaitable(made):
        made = await made
    if isinstance(made, kind):
        return made
    if hasattr(made, "__aenter__"):
        return await opened.enter_async_context(made)
    return opened.enter_context(made) if hasattr(made, "__enter__") else made
