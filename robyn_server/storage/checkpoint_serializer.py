"""How values of a graph's state become bytes and values again."""

import logging

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from robyn_server.storage.message_serializer import MessageSerializer


def checkpoint_serializer(pickle_fallback: bool = True) -> SerializerProtocol:
    """The serializer of checkpoints: LangGraph's default, quicker with messages. It loads the types of the graphs' own
    state (dataclasses, pydantic models).

    With `pickle_fallback` a value that msgpack refuses, such as a class or a data frame, is pickled, so that a
    run that holds one goes on as it does on the reference. Whoever can write to the database could then run code
    in this process; only our own database is ever unpickled. Without it such a run fails.

    No allow-list is set, because only the graphs know their types. An operator who wants one sets
    `LANGGRAPH_STRICT_MSGPACK=true`: LangGraph then allows the types that the graph's schema names, through
    `with_allowlist`. The default's warning, once for each such type, is left out of the log: it tells the
    operator to do what only the graph's author could.
    """
    logging.getLogger(JsonPlusSerializer.__module__).addFilter(_is_not_unregistered_type)
    return MessageSerializer(pickle_fallback=pickle_fallback)


def _is_not_unregistered_type(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Deserializing unregistered type")
