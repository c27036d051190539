"""Python 3.11 only: pydantic describes no `typing.TypedDict` there, so schemas are made from a copy of the
same shape in `typing_extensions`, on which it insists."""

import sys
import types
from collections.abc import Callable
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from typing_extensions import TypedDict


def describable(hint: Any) -> Any:
    """The type itself, or a copy in which each `typing.TypedDict` at any depth is one that pydantic takes. A
    dictionary that contains itself is left as it is."""
    return hint if sys.version_info >= (3, 12) else _copied(hint, {})


def _copied(hint: Any, done: dict[type, type]) -> Any:
    if is_typeddict(hint) and type(hint).__module__ == "typing":
        return _typed_dict(hint, done)
    origin, arguments = get_origin(hint), get_args(hint)
    if not arguments or origin in (Literal, Callable):
        return hint
    if origin is Annotated:
        return Annotated[(_copied(arguments[0], done), *arguments[1:])]
    copies = tuple(_copied(argument, done) for argument in arguments)
    if all(copy is argument for copy, argument in zip(copies, arguments, strict=True)):
        return hint
    if origin is types.UnionType:
        return Union[copies]  # noqa: UP007 - the members are known at run time only
    return hint.copy_with(copies) if hasattr(hint, "copy_with") else origin[copies]


def _typed_dict(cls: Any, done: dict[type, type]) -> type:
    if cls not in done:
        done[cls] = cls
        fields = {
            name: _field(_copied(hint, done), name in cls.__required_keys__)
            for name, hint in get_type_hints(cls, include_extras=True).items()
        }
        make: Any = TypedDict  # type checkers know literal names only
        copy = make(cls.__name__, fields)
        for name in ("__module__", "__qualname__", "__doc__", "__pydantic_config__"):
            if hasattr(cls, name):
                setattr(copy, name, getattr(cls, name))
        done[cls] = copy
    return done[cls]


def _field(hint: Any, required: bool) -> Any:
    if get_origin(hint) in (Required, NotRequired):
        return hint
    return hint if required else NotRequired[hint]
