"""What a source of tools gives: the tools, and what is missing."""

from collections.abc import Iterable
from dataclasses import dataclass

from langchain_core.tools import BaseTool


@dataclass(frozen=True, slots=True)
class Toolbox:
    """`missing` are sentences for the model on tools that were asked for and cannot be had now."""

    tools: tuple[BaseTool, ...] = ()
    missing: tuple[str, ...] = ()


def merged(boxes: Iterable[Toolbox]) -> Toolbox:
    """All in one. Of tools with the same name the later ones get a number: a model must tell them apart."""
    tools: dict[str, BaseTool] = {}
    missing: list[str] = []
    for box in boxes:
        missing += box.missing
        for tool in box.tools:
            name = free_name(tool.name, tools)
            tools[name] = tool if name == tool.name else tool.model_copy(update={"name": name})
    return Toolbox(tuple(tools.values()), tuple(missing))


def free_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or `name_2`, `name_3`... at most 64 characters, as model providers want."""
    used = set(taken)
    number = 1
    candidate = name[:64]
    while candidate in used:
        number += 1
        ending = f"_{number}"
        candidate = name[: 64 - len(ending)] + ending
    return candidate
