"""Long-term memory: LangGraph's `BaseStore` over a database.

Graph code uses it from anywhere: the async methods on the event loop, the others in threads. They may also be
called on the loop, which then stands still for the moment that the database takes.
"""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from robyn_server.resources.encoding import encode
from robyn_server.storage.db import ThreadedDb, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.encryption.cipher import CLEAR, Cipher
from robyn_server.storage.encryption.key_check import check_key
from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store.embedding import Embedder, Meanings
from robyn_server.storage.store.reembedding import BEGINNING, choose, renew, stale
from robyn_server.storage.store.rows import (
    SWEPT_AT_ONCE,
    get,
    is_owner,
    list_namespaces,
    put,
    refresh,
    sweep,
)
from robyn_server.storage.store.schema import STEPS
from robyn_server.storage.store.search import check_filter, search
from robyn_server.storage.store.vectors import VectorIndex

STORE_FILE = "store.db"
DOCUMENTS_FILE = "documents.db"
LOOK_AGAIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The section `store` of langgraph.json. `ttl` is `{"default_ttl" (minutes), "refresh_on_read",
    "sweep_interval_minutes"}`; `index` is `{"embed" (loaded), "dims", "fields" (paths in a value, `$` is all of it)}`,
    without it there is no search by meaning. `index_name` stands for all that makes vectors comparable: under another
    name, items are embedded again."""

    ttl: TTLConfig | None = None
    index: IndexConfig | None = None
    index_name: str = ""


class SqlStore(BaseStore):
    """The store of one database. Items whose time is over are no longer seen, and deleted by `sweep`.

    The methods raise `ValueError` for what makes no sense (a bad namespace, an unknown filter operator, a vector
    of a wrong length), `TypeError` for a value that is no JSON, `Unavailable` when the database cannot be used.
    """

    supports_ttl = True

    def __init__(self, db: ThreadedDb, options: StoreOptions, embedding: int = 0) -> None:
        """`store_on` makes them. `embedding` is the number of what embeds, if anything does."""
        self._db = db
        self._embedder = Embedder(options.index, embedding) if options.index else None
        self._reembedded = BEGINNING
        self._skipped = False
        self._look_again = 0.0
        self.ttl_config = options.ttl

    def owned_by(self, owner: str) -> BaseStore:
        """The same store as this user may use it."""
        return _OwnersStore(self, owner)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do all or nothing of the writes; reads of the same batch see what was before them."""
        return await self.abatch_for(None, ops)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """See `abatch`."""
        return self.batch_for(None, ops)

    async def abatch_for(self, owner: str | None, ops: Iterable[Op]) -> list[Result]:
        """`abatch` on what is this owner's, or (None) on everything."""
        batch = _Batch(self._db.dialect, ops, self._embedder, owner)
        meanings = Meanings()
        if self._embedder and batch.has_meaning:
            meanings = await self._embedder.aembed(batch.texts, batch.queries)
        if batch.reads:
            await self._db.read(lambda: batch.read(meanings))
        if batch.writes:
            await self._db.write(lambda: batch.write(meanings))
        return batch.results

    def batch_for(self, owner: str | None, ops: Iterable[Op]) -> list[Result]:
        """See `abatch_for`."""
        batch = _Batch(self._db.dialect, ops, self._embedder, owner)
        meanings = Meanings()
        if self._embedder and batch.has_meaning:
            meanings = self._embedder.embed(batch.texts, batch.queries)
        if batch.reads:
            self._db.read_sync(lambda: batch.read(meanings))
        if batch.writes:
            self._db.write_sync(lambda: batch.write(meanings))
        return batch.results

    async def sweep(self) -> int:
        """Delete items whose time is over; how many."""
        swept = await self._db.write(lambda: sweep(self._db.dialect))
        total = swept
        while swept == SWEPT_AT_ONCE:
            swept = await self._db.write(lambda: sweep(self._db.dialect))
            total += swept
        return total

    async def embed_again(self) -> int:
        """Embed the next items whose vectors another configuration has made; how many, 0 at the end. Those on which the
        project's function fails are passed over until the next time round; what it raises is raised."""
        loop = asyncio.get_running_loop()
        if self._embedder is None or loop.time() < self._look_again:
            return 0
        number, after = self._embedder.vectors.embedding, self._reembedded
        found = await self._db.read(lambda: stale(self._db.dialect, number, after))
        if not found:
            # Where nobody else writes, nothing is left behind.
            done = self._db.alone and not self._skipped
            self._look_again = math.inf if done else loop.time() + LOOK_AGAIN_SECONDS
            self._reembedded, self._skipped = BEGINNING, False
            return 0
        skipped, self._skipped, self._reembedded = self._skipped, True, found[-1].place
        texts = [self._embedder.texts(item.index, item.value) for item in found]
        meanings = await self._embedder.aembed(list(dict.fromkeys(chain(*texts))), ())
        renewed = [
            (item, [meanings.of_text[text] for text in of_item])
            for item, of_item in zip(found, texts, strict=True)
        ]
        await self._db.write(lambda: renew(self._db.dialect, renewed, number))
        self._skipped = skipped
        return len(found)

    async def close(self) -> None:
        """Wait for what is being written, then close. May be called twice."""
        await self._db.close()


class _OwnersStore(BaseStore):
    """What is one user's, whatever its namespaces are called. Writes raise `PermissionError` in a namespace that begins
    with another user's id; to reads it looks empty."""

    supports_ttl = True

    def __init__(self, store: SqlStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self.ttl_config = store.ttl_config

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await self._store.abatch_for(self._owner, ops)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return self._store.batch_for(self._owner, ops)


class _Batch:
    """Operations of one call. `results` is in their order; writes give None."""

    def __init__(
        self, dialect: Dialect, ops: Iterable[Op], embedder: Embedder | None, owner: str | None
    ) -> None:
        self._dialect = dialect
        self._owner = owner
        self._ops = [_checked(op) for op in ops]
        self._index = embedder.vectors if embedder else VectorIndex(0)
        self.results: list[Result] = [None] * len(self._ops)
        # Of several writes to one item the last one counts.
        self._puts: dict[tuple[tuple[str, ...], str], tuple[PutOp, bytes | None, list[str]]] = {}
        self._used: list[int] = []
        for op in self._ops:
            if isinstance(op, PutOp):
                # What is written is what the value is now, whatever the caller does to it afterwards.
                value = None if op.value is None else encode(dict(op.value))
                texts = embedder.texts(op.index, value) if embedder and value is not None else []
                self._puts[op.namespace, op.key] = op, value, texts
        queries = (op.query for op in self._ops if isinstance(op, SearchOp) and op.query)
        self.queries = list(dict.fromkeys(queries))
        self.texts = list(dict.fromkeys(text for _, _, texts in self._puts.values() for text in texts))

    @property
    def has_meaning(self) -> bool:
        return bool(self.texts or self.queries)

    @property
    def reads(self) -> bool:
        return any(not isinstance(op, PutOp) for op in self._ops)

    @property
    def writes(self) -> bool:
        return bool(self._puts or self._used)

    def read(self, meanings: Meanings) -> Transition[None]:
        """Fill in the results."""
        used: list[int] = []
        for place, op in enumerate(self._ops):
            if isinstance(op, GetOp):
                self.results[place], seen = yield from get(self._dialect, op, self._owner)
                used += seen
            elif isinstance(op, SearchOp):
                query = meanings.of_query.get(op.query or "")
                self.results[place], seen = yield from search(
                    self._dialect, op, query, self._index, self._owner
                )
                used += seen
            elif isinstance(op, ListNamespacesOp):
                self.results[place] = yield from list_namespaces(self._dialect, op, self._owner)
        self._used = used

    def write(self, meanings: Meanings) -> Transition[None]:
        """What was read counts as used; then the writes, in order."""
        if self._used:
            yield from refresh(self._dialect, self._used)
        yield from self._refuse_foreign()
        for op, value, texts in self._puts.values():
            vectors = [meanings.of_text[text] for text in texts]
            yield from put(self._dialect, op, value, vectors, self._index.embedding, self._owner)

    def _refuse_foreign(self) -> Transition[None]:
        if self._owner is None:
            return
        for label in dict.fromkeys(namespace[0] for namespace, _ in self._puts if namespace):
            if label != self._owner and (yield from is_owner(label)):
                raise PermissionError(
                    f"Namespaces that begin with '{label}' belong to another user: begin with your own user id, or"
                    " with a label that is no user's."
                )


def _checked(op: Op) -> Op:
    validate_op_namespace(op)
    if isinstance(op, SearchOp):
        check_filter(op.filter)
        return op._replace(limit=max(op.limit, 0), offset=max(op.offset, 0))
    if not isinstance(op, GetOp | PutOp | ListNamespacesOp):
        raise ValueError(f"Unknown operation type: {type(op)}")
    return op


async def store_on(db: ThreadedDb, options: StoreOptions) -> SqlStore:
    """The store in a database that is up to date."""
    if options.index is None:
        return SqlStore(db, options)
    dims = options.index["dims"]
    name = options.index_name or f"{dims} numbers"
    return SqlStore(db, options, await db.write(lambda: choose(db.dialect, name, dims)))


async def open_store(
    data_dir: Path,
    options: StoreOptions,
    *,
    synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
    file: str = STORE_FILE,
    cipher: Cipher = CLEAR,
) -> SqlStore:
    """The store of `data_dir`, or another store kept there; the file is made when missing. Raises `StartupError`."""
    path = data_dir / file
    await asyncio.to_thread(bring_up_to_date, path, STEPS)
    await asyncio.to_thread(check_key, path, cipher)
    db = SqliteDb(path, synchronous=synchronous, cipher=cipher)
    return await store_on(db, options)
