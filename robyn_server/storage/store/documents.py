"""What turns pieces of documents into vectors: an OpenAI-compatible service, or words counted here."""

import asyncio
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig

from robyn_server.errors import Unavailable
from robyn_server.settings import Settings

LEXICAL_DIMENSIONS = 1024
USUAL_MODEL = "text-embedding-3-small"
WORDS = re.compile(r"\w+")
PIECE = 4
"""Characters: words that begin or go on alike are a little alike."""


@dataclass(frozen=True, slots=True)
class DocumentEmbedding:
    """The choice of the settings; `name` says which vectors can be compared."""

    name: str
    index: IndexConfig

    @classmethod
    def from_settings(cls, settings: Settings) -> "DocumentEmbedding":
        """A service when one is named, else `LexicalEmbeddings`."""
        url, model = settings.embeddings_base_url, settings.embeddings_model
        if url is None and model is None:
            index: IndexConfig = {
                "embed": LexicalEmbeddings(),
                "dims": LEXICAL_DIMENSIONS,
                "fields": ["content"],
            }
            return cls("lexical", index)
        model, dimensions = model or USUAL_MODEL, settings.embeddings_dimensions
        remote = RemoteEmbeddings(url, settings.embeddings_key, model)
        return cls(f"{model}/{dimensions}", {"embed": remote, "dims": dimensions, "fields": ["content"]})


class LexicalEmbeddings(Embeddings):
    """Counts words and pieces of words, by their hashes. No model, no download; finds texts that share words with the
    query, in any language that puts blanks between them. It knows nothing of meaning."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector of length 1 for each text (of zeros for one without words)."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """See `embed_documents`."""
        numbers = [0.0] * LEXICAL_DIMENSIONS
        for feature, count in Counter(_features(text)).items():
            spread = zlib.crc32(feature.encode())
            weight = (1 + math.log(count)) * (1.0 if feature[0] == " " else 0.3)
            # The sign lets features that fall together cancel out instead of adding up.
            numbers[spread % LEXICAL_DIMENSIONS] += weight if spread & 0x8000_0000 else -weight
        length = math.sqrt(sum(number * number for number in numbers))
        return [number / length for number in numbers] if length else numbers


def _features(text: str) -> Iterator[str]:
    for word in WORDS.findall(text.lower()):
        yield f" {word}"
        for start in range(len(word) - PIECE + 1):
            yield word[start : start + PIECE]


class RemoteEmbeddings(Embeddings):
    """Asks a service that speaks OpenAI's API. What goes wrong there is `Unavailable`."""

    def __init__(self, base_url: str | None, key: str | None, model: str) -> None:
        self._given: dict[str, Any] = {
            "model": model,
            "api_key": key or "none",
            "check_embedding_ctx_length": False,
        }
        if base_url:
            self._given["base_url"] = base_url
        self._client: Any = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""
        return self._asked("embed_documents", texts)  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        """A vector."""
        return self._asked("embed_query", text)  # type: ignore[no-any-return]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """See `embed_documents`."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """See `embed_query`."""
        return await asyncio.to_thread(self.embed_query, text)

    def _asked(self, verb: str, what: Any) -> Any:
        # Heavy, and only for servers that are told of such a service.
        from langchain_openai import OpenAIEmbeddings  # noqa: PLC0415
        from openai import OpenAIError  # noqa: PLC0415

        if self._client is None:
            self._client = OpenAIEmbeddings(**self._given)
        try:
            return getattr(self._client, verb)(what)
        except OpenAIError as error:
            raise Unavailable(f"The embeddings service failed ({type(error).__name__})") from error
