"""Identifiers: how they are made and how they are read."""

import uuid

import uuid_utils

ASSISTANT_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""A served graph's own assistant has the id uuid5(this, graph_id), as on the reference."""


def new_id() -> str:
    """A fresh time-ordered id (UUID version 7) for a thread, run or cron."""
    return str(uuid_utils.uuid7())


def random_id() -> str:
    """A fresh random id (UUID version 4) for an assistant, a copied thread or a request."""
    return str(uuid.uuid4())


def system_assistant_id(graph_id: str) -> str:
    """The id of the assistant that stands for a served graph."""
    return str(uuid.uuid5(ASSISTANT_NAMESPACE, graph_id))


def canonical_id(text: object) -> str | None:
    """The dashed lower-case form of any spelling `uuid.UUID` reads, None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
