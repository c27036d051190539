"""JSON schemas of this surface: `SCHEMAS` holds every body and answer by name.

They refer to one another as `#/components/schemas/<name>`, so a body is validated by its schema with
`{"components": {"schemas": SCHEMAS}}` beside it; the words of the validator are what clients get.
"""

from collections.abc import Mapping

import jsonschema_rs

from robyn_server.errors import Unprocessable
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.schemas.answers import ANSWERS
from robyn_server.surfaces.langgraph.schemas.assistants import ASSISTANTS
from robyn_server.surfaces.langgraph.schemas.crons import CRONS
from robyn_server.surfaces.langgraph.schemas.protocol import PROTOCOL
from robyn_server.surfaces.langgraph.schemas.runs import RUNS
from robyn_server.surfaces.langgraph.schemas.shapes import CONFIG
from robyn_server.surfaces.langgraph.schemas.store import STORE
from robyn_server.surfaces.langgraph.schemas.threads import THREADS

SCHEMAS: Mapping[str, JsonObject] = {
    **ASSISTANTS,
    **THREADS,
    **RUNS,
    **CRONS,
    **STORE,
    **PROTOCOL,
    **ANSWERS,
    "Config": CONFIG,
}

CONFIG_VALIDATOR = jsonschema_rs.validator_for(CONFIG)


def check_config(body: JsonObject) -> None:
    """The configuration in an assistant's body is looked at by itself. Raises `Unprocessable`."""
    if "config" not in body:
        return
    for error in CONFIG_VALIDATOR.iter_errors(body["config"]):
        raise Unprocessable(str(error))
