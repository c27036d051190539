"""The first step: every table of `schema.py`."""

from robyn_server.storage.schema import statements

__all__ = ["statements"]
