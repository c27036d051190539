"""The meaning of texts, as vectors, by the function or model that a project names in `store.index`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson
from langgraph.store.base import IndexConfig, ensure_embeddings, get_text_at_path, tokenize_path
from langgraph.store.base.embed import EmbeddingsLambda

from robyn_server.storage.store.rows import Vector
from robyn_server.storage.store.vectors import VectorIndex


@dataclass(frozen=True, slots=True)
class Meanings:
    """What came out: for texts as they are stored, for queries as numbers."""

    of_text: Mapping[str, Vector] = field(default_factory=dict)
    of_query: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Embedder:
    """Embeds for one store, whose event loop is the one it is made on. `number`: see `reembedding.py`."""

    def __init__(self, index: IndexConfig, number: int) -> None:
        self.vectors = VectorIndex(index["dims"], number)
        self._embeddings = ensure_embeddings(index["embed"])
        self._fields = index.get("fields") or ["$"]
        self._loop = asyncio.get_running_loop()

    def texts(self, index: Literal[False] | list[str] | None, value: bytes) -> list[str]:
        """The texts of an item (`value` is its JSON), put with `index`, that give it meaning."""
        if index is False:
            return []
        paths = self._fields if index is None else index
        parsed = orjson.loads(value)
        return [
            text
            for path in paths
            for text in get_text_at_path(parsed, path if path == "$" else tokenize_path(path))
        ]

    async def aembed(self, texts: Sequence[str], queries: Sequence[str]) -> Meanings:
        """Each text once. Raises `ValueError` for vectors of a wrong length, and what the project's function
        raises."""
        vectors = await self._embeddings.aembed_documents(list(texts)) if texts else []
        asked = await asyncio.gather(*map(self._embeddings.aembed_query, queries))
        return self._meanings(texts, vectors, queries, asked)

    def embed(self, texts: Sequence[str], queries: Sequence[str]) -> Meanings:
        """`aembed` for threads without an event loop."""
        if self._is_async_only():
            return asyncio.run_coroutine_threadsafe(self.aembed(texts, queries), self._loop).result()
        vectors = self._embeddings.embed_documents(list(texts)) if texts else []
        asked = [self._embeddings.embed_query(query) for query in queries]
        return self._meanings(texts, vectors, queries, asked)

    def _is_async_only(self) -> bool:
        if not isinstance(self._embeddings, EmbeddingsLambda) or hasattr(self._embeddings, "func"):
            return False
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return True
        # Waiting here would keep the loop from ever embedding; the caller is told to use the async methods.
        return running is not self._loop

    def _meanings(
        self,
        texts: Sequence[str],
        vectors: Sequence[Sequence[float]],
        queries: Sequence[str],
        asked: Sequence[Sequence[float]],
    ) -> Meanings:
        if len(vectors) != len(texts):
            raise ValueError(
                f"The store's embed function gave {len(vectors)} vectors for {len(texts)} texts."
            )
        for query in asked:
            self.vectors.pack(query)
        packed = [self.vectors.pack(vector) for vector in vectors]
        return Meanings(dict(zip(texts, packed, strict=True)), dict(zip(queries, asked, strict=True)))
