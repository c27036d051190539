"""A project's own store as one user may use it. It knows no owners, so whose an item is must stand in its namespace."""

from collections.abc import Iterable

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)


class FencedStore(BaseStore):
    """Only namespaces that begin with the user's id: all others look empty, and writes to them raise
    `PermissionError`."""

    def __init__(self, store: BaseStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self.supports_ttl = store.supports_ttl
        self.ttl_config = store.ttl_config

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        asked = [self._narrowed(op) for op in ops]
        return self._own(asked, await self._store.abatch(asked))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        asked = [self._narrowed(op) for op in ops]
        return self._own(asked, self._store.batch(asked))

    def _narrowed(self, op: Op) -> Op:
        if isinstance(op, PutOp) and op.namespace[:1] != (self._owner,):
            raise PermissionError(
                "In this project's store only namespaces that begin with your own user id may be written to:"
                f" not {op.namespace}."
            )
        if isinstance(op, SearchOp) and not op.namespace_prefix:
            return op._replace(namespace_prefix=(self._owner,))
        if isinstance(op, ListNamespacesOp):
            mine = MatchCondition("prefix", (self._owner,))
            return op._replace(match_conditions=(mine, *(op.match_conditions or ())))
        return op

    def _own(self, ops: list[Op], results: list[Result]) -> list[Result]:
        return [self._shown(op, result) for op, result in zip(ops, results, strict=True)]

    def _shown(self, op: Op, result: Result) -> Result:
        """Whatever the project's store makes of what it was asked."""
        if isinstance(result, Item):
            return result if result.namespace[:1] == (self._owner,) else None
        if not isinstance(result, list):
            return result
        if isinstance(op, GetOp | PutOp):
            return None
        return [one for one in result if _namespace(one)[:1] == (self._owner,)]  # type: ignore[return-value]


def _namespace(one: SearchItem | Item | tuple[str, ...]) -> tuple[str, ...]:
    return one if isinstance(one, tuple) else one.namespace
