"""Long-term memory on SQLite: LangGraph's `BaseStore` over a file of its own."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    get_text_at_path,
    tokenize_path,
)
from langgraph.store.base.embed import EmbeddingsLambda

from robyn_server.storage.db import Transition
from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store_rows import (
    SWEPT_AT_ONCE,
    Vector,
    get,
    list_namespaces,
    put,
    refresh,
    sweep,
    tables,
)
from robyn_server.storage.store_search import check_filter, search
from robyn_server.storage.store_vectors import VectorIndex

logger = logging.getLogger(__name__)
"""
"""
