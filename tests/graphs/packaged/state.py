"""The state, in a module of its own."""

from typing import TypedDict


class State(TypedDict, total=False):
    text: str
