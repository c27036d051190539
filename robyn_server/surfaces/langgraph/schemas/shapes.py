"""Short words for JSON schema, and the shapes that several bodies share."""

from robyn_server.resources.run import STREAM_MODES
from robyn_server.resources.types import JsonObject

LARGEST = 2**53 - 1
"""The largest whole number that every JSON client reads as it was written; databases hold more."""

NO_NUL = {"pattern": r"^(?!.*\\[uU]0000)[^\u0000]*$"}
"""For keys that are stored as configuration: no NUL, in no spelling."""


def string(description: str = "", **more: object) -> JsonObject:
    """A text."""
    return _described({"type": "string", **more}, description)


def choice(*values: str, description: str = "", **more: object) -> JsonObject:
    """One of some words."""
    return _described({"type": "string", "enum": list(values), **more}, description)


def identifier(description: str = "") -> JsonObject:
    """A UUID; how it is spelled is checked by the handlers, which say so in their own words."""
    return _described({"type": "string", "format": "uuid"}, description)


def integer(description: str = "", **more: object) -> JsonObject:
    """A whole number."""
    return _described({"type": "integer", **more}, description)


def number(description: str = "") -> JsonObject:
    """A number."""
    return _described({"type": "number"}, description)


def boolean(description: str = "", **more: object) -> JsonObject:
    """True or false."""
    return _described({"type": "boolean", **more}, description)


def array(items: JsonObject, description: str = "", **more: object) -> JsonObject:
    """A list."""
    return _described({"type": "array", "items": items, **more}, description)


def anything(description: str = "") -> JsonObject:
    """An object with any keys."""
    return _described({"type": "object"}, description)


def settings(description: str = "") -> JsonObject:
    """An object that is kept as configuration."""
    return _described({"type": "object", "propertyNames": NO_NUL}, description)


def body(properties: JsonObject, *required: str) -> JsonObject:
    """An object with known keys; unknown ones are ignored."""
    found: JsonObject = {"type": "object", "properties": properties}
    if required:
        found["required"] = list(required)
    return found


def nullable(kind: str, description: str = "", **more: object) -> JsonObject:
    """A value of one type, or null."""
    return _described({"type": [kind, "null"], **more}, description)


def ref(name: str) -> JsonObject:
    """Another schema of this surface."""
    return {"$ref": f"#/components/schemas/{name}"}


def either(*schemas: JsonObject, description: str = "", **more: object) -> JsonObject:
    """One of some shapes."""
    return _described({"anyOf": list(schemas), **more}, description)


def _described(schema: JsonObject, description: str) -> JsonObject:
    return {**schema, "description": description} if description else schema


def stream_mode() -> JsonObject:
    """One stream mode or a list of them."""
    return either(
        array(choice(*STREAM_MODES)),
        choice(*STREAM_MODES),
        description="What the stream shows.",
        default=["values"],
    )


def node_names(when: str) -> JsonObject:
    """Where to interrupt."""
    return either(
        choice("*"), array(string()), description=f"Nodes {when} which to stop; `*` means all of them."
    )


def metadata(of: str) -> JsonObject:
    """Free key-value data."""
    return anything(f"Free data of the {of}, to search by.")


def limit(default: int = 10) -> JsonObject:
    """How many, at most."""
    return integer("How many to return at most.", default=default, minimum=1, maximum=1000)


def offset() -> JsonObject:
    """How many to leave out."""
    return integer("How many to step over.", default=0, minimum=0, maximum=LARGEST)


def storable(description: str, **more: object) -> JsonObject:
    """A whole number of either sign that the database can hold."""
    return integer(description, minimum=-LARGEST, maximum=LARGEST, **more)


def sort_order(**more: object) -> JsonObject:
    """The direction of a search."""
    return choice("asc", "desc", description="Direction; heard only together with `sort_by`.", **more)


def select(*fields: str) -> JsonObject:
    """Which fields to return."""
    return array(choice(*fields), "Fields to return; none means all.")


CONFIG = {
    **body(
        {
            "tags": array(string()),
            "recursion_limit": integer("How many supersteps a run may take."),
            "configurable": settings("What the graph reads as `config['configurable']`."),
        }
    ),
    "propertyNames": NO_NUL,
    "description": "LangChain configuration.",
}

TTL = {
    **body(
        {
            "strategy": choice("delete", "keep_latest", default="delete"),
            "ttl": number("Minutes without use."),
        }
    ),
    "description": "When and how the thread is cleared away.",
}
