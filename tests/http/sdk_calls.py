"""Notes which methods of the Python SDK are called: each public method and property of its clients is wrapped."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk._async import stream as async_stream
from langgraph_sdk._sync import stream as sync_stream

HANDLES: tuple[type, ...] = (
    async_stream.AsyncThreadStream,
    async_stream.RunModule,
    async_stream._AgentModule,
    sync_stream.SyncThreadStream,
    sync_stream.SyncRunModule,
    sync_stream._SyncAgentModule,
)
"""What `threads.stream` gives."""


def client_classes() -> list[type]:
    """The clients, and what hangs on them: `threads`, `runs`, ..."""
    found: list[type] = []
    for client in (get_client(url="http://127.0.0.1:1"), get_sync_client(url="http://127.0.0.1:1")):
        parts = [type(part) for part in vars(client).values()]
        found += [type(client), *(part for part in parts if part.__module__.startswith("langgraph_sdk"))]
    return [*found, *HANDLES]


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """`(name, function or property)` of what is public."""
    for name, found in inspect.getmembers_static(cls):
        if not name.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            yield name, found


def inventory() -> set[str]:
    """`Class.method` for all of them."""
    return {f"{cls.__name__}.{name}" for cls in client_classes() for name, _ in methods(cls)}


class Calls:
    """Wraps the classes until `stop`; `called` holds `Class.method`."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self._before: list[tuple[type, str, Any]] = []
        for cls in client_classes():
            for name, found in list(methods(cls)):
                self._before.append((cls, name, found))
                setattr(cls, name, self._noting(f"{cls.__name__}.{name}", found))

    def stop(self) -> None:
        """Everything as before."""
        for cls, name, found in self._before:
            setattr(cls, name, found)

    def _noting(self, label: str, found: Any) -> Any:
        if isinstance(found, property):
            assert found.fget is not None
            return property(self._wrapped(label, found.fget), found.fset, found.fdel, found.__doc__)
        return self._wrapped(label, found)

    def _wrapped(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def noting(*args: Any, **kwargs: Any) -> Any:
            self.called.add(label)
            return function(*args, **kwargs)

        return noting
