"""The section `checkpointer` of langgraph.json but for `ttl`: `{"backend", "path", "serde": {"allowed_json_modules",
"allowed_msgpack_modules", "pickle_fallback"}}`."""

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import ConfigFile, GraphSpec


def checkpointer_source(config_file: ConfigFile) -> GraphSpec | None:
    """What keeps checkpoints in the place of this server's own database, None when nothing does. Raises
    `StartupError` for a backend that there is none of."""
    section, place = config_file.section("checkpointer"), config_file.place("checkpointer")
    backend, named = section.get("backend"), config_file.named("checkpointer")
    if backend not in (None, "default", "custom"):
        raise StartupError(
            f'"checkpointer.backend" in {place} is {backend!r}, which this server does not have: name a saver for it'
            ' with "backend": "custom" and "path", or remove it.'
        )
    if backend == "custom" and named is None:
        raise StartupError(
            f'"checkpointer.backend" in {place} is "custom" without a "path": add "./file.py:name" of a saver.'
        )
    if backend == "default" and named is not None:
        raise StartupError(f'"checkpointer" in {place} has a "path" and backend "default": keep one of them.')
    return named
