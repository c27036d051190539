"""Names of shapes that several nouns share."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Anything that JSON can say: dict, list, str, int, float, bool or None."""

JsonObject: TypeAlias = dict[str, Any]
