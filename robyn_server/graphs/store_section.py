"""The section `store` of langgraph.json: `{"index": {"embed", "dims", "fields"}, "ttl": {"default_ttl",
"refresh_on_read", "sweep_interval_minutes"}}`.

`embed` is `./file.py:name` or `package.module:name` (a function list of texts -> list of vectors, sync or async, or
an object of LangChain's `Embeddings`), or a model, `provider:model`.
"""

import importlib
import json

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, TTLConfig, ensure_embeddings

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import ConfigFile, GraphSpec
from robyn_server.graphs.loader import load
from robyn_server.resources.types import Json

LABEL = "The store's embed function"


def store_index(config_file: ConfigFile) -> IndexConfig | None:
    """How items are searched by meaning, None when they are not; `embed` is loaded. Raises `StartupError`."""
    index = config_file.section("store").get("index")
    if index is None:
        return None
    place = f'"index" of "store" in {config_file.place("store")}'
    if not isinstance(index, dict):
        raise StartupError(f"{place} must be an object: correct it.")
    dims, fields = index.get("dims"), index.get("fields") or ["$"]
    if not isinstance(dims, int) or isinstance(dims, bool) or dims < 1:
        raise StartupError(f'{place} needs "dims", the length of the vectors: add the number.')
    if not isinstance(fields, list) or not all(isinstance(path, str) for path in fields):
        raise StartupError(f'"fields" in {place} must be a list of paths: correct it.')
    return {"embed": _embeddings(config_file, index.get("embed"), place), "dims": dims, "fields": fields}


def store_index_name(config_file: ConfigFile) -> str:
    """Changes with whatever makes old vectors incomparable: `embed` (as it is written), `dims`, `fields`. Empty when
    items are not embedded."""
    index = config_file.section("store").get("index")
    if not index:
        return ""
    return json.dumps([index.get("embed"), index.get("dims"), index.get("fields") or ["$"]])


def store_ttl(config_file: ConfigFile) -> TTLConfig | None:
    """How long items live. Raises `StartupError`."""
    ttl = config_file.section("store").get("ttl")
    if ttl is None:
        return None
    place = f'"ttl" of "store" in {config_file.place("store")}'
    if not isinstance(ttl, dict):
        raise StartupError(f"{place} must be an object: correct it.")
    for name in ("default_ttl", "sweep_interval_minutes"):
        minutes = ttl.get(name)
        if minutes is not None and (isinstance(minutes, bool) or not _is_above_zero(minutes)):
            raise StartupError(f'"{name}" in {place} must be a number of minutes above 0: correct it.')
    return TTLConfig(
        refresh_on_read=ttl.get("refresh_on_read", True) is not False,
        default_ttl=ttl.get("default_ttl"),
        sweep_interval_minutes=ttl.get("sweep_interval_minutes"),
    )


def _is_above_zero(value: Json) -> bool:
    return isinstance(value, int | float) and value > 0


def _embeddings(config_file: ConfigFile, embed: Json, place: str) -> Embeddings:
    if not isinstance(embed, str) or ":" not in embed:
        raise StartupError(f'"embed" in {place} must be "./file.py:name" or "provider:model": correct it.')
    spec = GraphSpec(embed, place=config_file.place("store"))
    if not spec.is_file and "." not in spec.location:
        return _model(embed, place)
    found = load(config_file, LABEL, spec)
    if not isinstance(found, Embeddings) and not callable(found):
        raise StartupError(f"{LABEL}, {embed}, is neither a function nor an Embeddings object: name another.")
    return ensure_embeddings(found)


def _model(embed: str, place: str) -> Embeddings:
    provider, _, model = embed.partition(":")
    try:
        if provider == "openai":
            # langchain-openai is always there; the general way needs the langchain package too.
            made: Embeddings = importlib.import_module("langchain_openai").OpenAIEmbeddings(model=model)
            return made
        return ensure_embeddings(embed)
    except Exception as error:  # a provider's package may raise anything
        reason = str(error).strip().splitlines()
        raise StartupError(
            f'"embed" in {place}: {embed} cannot be used: {reason[0] if reason else type(error).__name__}'
        ) from error
