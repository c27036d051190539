"""Meaning, for tests: how often a text has each letter."""

from collections.abc import Sequence


def letters(texts: Sequence[str]) -> list[list[float]]:
    """A vector of 26 numbers for each text."""
    return [[float(text.lower().count(chr(97 + letter))) for letter in range(26)] for text in texts]
