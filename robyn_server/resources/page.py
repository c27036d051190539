"""A page of a search."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of the matching items; `more` says whether others follow them."""

    items: tuple[Item, ...]
    more: bool
