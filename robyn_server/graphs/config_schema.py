"""What may stand in a langgraph.json, as a JSON schema.

`unused` says why a key is known and has no effect here. An object with `properties` knows no other keys, unless it has
`additionalProperties`.
"""

from typing import Any, Final

Schema = dict[str, Any]


def _texts(*, also_null: bool = True) -> Schema:
    return {"type": ["array", "null"] if also_null else "array", "items": {"type": "string"}}


def _section(**properties: Schema) -> Schema:
    return {"type": ["object", "null"], "properties": properties}


def _unused(why: str, schema: Schema | None = None) -> Schema:
    return {**(schema or {}), "unused": why}


TEXT: Final[Schema] = {"type": ["string", "null"]}
SWITCH: Final[Schema] = {"type": ["boolean", "null"]}
ABOVE_ZERO: Final[Schema] = {"type": ["number", "null"], "exclusiveMinimum": 0}
COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 1}
ANY_OBJECT: Final[Schema] = {"type": ["object", "null"]}

_IMAGES = "it is for building images"
_OTHER_LANGUAGES = "it is for projects in JavaScript"
_HEADERS = _section(includes=_texts(), excludes=_texts(), include=_texts(), exclude=_texts())

_AUTH = _section(
    path=TEXT,
    disable_studio_auth=SWITCH,
    openapi=_section(
        securitySchemes=ANY_OBJECT,
        security={"type": ["array", "null"], "items": {"type": "object"}},
        paths=ANY_OBJECT,
    ),
    allow_langsmith_api_keys=_unused("this server knows no LangSmith accounts", SWITCH),
    cache=_unused(_OTHER_LANGUAGES, _section(cache_keys=_texts(), ttl_seconds=COUNT, max_size=COUNT)),
)
_STORE = _section(
    index=_section(
        embed={"type": "string"},
        dims={"type": "integer", "minimum": 1},
        fields=_texts(),
    ),
    ttl=_section(refresh_on_read=SWITCH, default_ttl=ABOVE_ZERO, sweep_interval_minutes=ABOVE_ZERO),
    path=TEXT,
)
_TYPES: Final[Schema] = {"type": ["boolean", "array", "null"], "items": {"type": "array"}}
_CHECKPOINTER = _section(
    ttl=_section(
        strategy={"enum": ["delete", "keep_latest"]},
        default_ttl=ABOVE_ZERO,
        sweep_interval_minutes=ABOVE_ZERO,
        sweep_limit=COUNT,
    ),
    # "mongo" is the reference's; `checkpointer_section.py` says what to do instead.
    backend={"enum": ["default", "custom", "mongo", None]},
    path=TEXT,
    uri=_unused('it is for the backend "mongo", which this server does not have', TEXT),
    serde=_section(allowed_json_modules=_TYPES, allowed_msgpack_modules=_TYPES, pickle_fallback=SWITCH),
)
_CORS = _section(
    allow_origins=_texts(),
    allow_methods=_texts(),
    allow_headers=_texts(),
    allow_credentials=SWITCH,
    allow_origin_regex=TEXT,
    expose_headers=_texts(),
    max_age={"type": ["integer", "null"], "minimum": 0},
)
_DISABLED = "assistants threads runs store meta mcp a2a ui webhooks event_streaming".split()
_HTTP = _section(
    app=TEXT,
    cors=_CORS,
    configurable_headers=_HEADERS,
    logging_headers=_HEADERS,
    mount_prefix=TEXT,
    middleware_order={"enum": ["auth_first", "middleware_first", None]},
    enable_custom_route_auth=SWITCH,
    **{f"disable_{name}": SWITCH for name in _DISABLED},
)
_WEBHOOKS = _section(
    url=_section(
        require_https=SWITCH,
        allowed_domains=_texts(),
        allowed_ports={
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 1, "maximum": 65_535},
        },
        max_url_length=COUNT,
        disable_loopback=SWITCH,
        disable_private_ips=SWITCH,
    ),
    headers={"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    env_prefix=TEXT,
    allowed_fields=_texts(),
)
_GRAPH: Final[Schema] = {
    "type": ["string", "object"],
    "properties": {"path": {"type": "string"}, "description": TEXT},
    "required": ["path"],
}
_BUILD: Final[dict[str, Schema]] = {
    name: _unused(_IMAGES)
    for name in (
        "python_version api_version base_image image_distro pip_config_file pip_installer dockerfile_lines"
        " keep_pkg_tools source"
    ).split()
}

SCHEMA: Final[Schema] = {
    "type": "object",
    "properties": {
        "$schema": TEXT,
        "graphs": {"type": "object", "additionalProperties": _GRAPH},
        "dependencies": _texts(also_null=False),
        "env": {"type": ["string", "object", "null"]},
        "auth": _AUTH,
        "store": _STORE,
        "checkpointer": _CHECKPOINTER,
        "http": _HTTP,
        "webhooks": _WEBHOOKS,
        "encryption": _section(path=TEXT),
        "priority": _unused("runs have their priority from the request", _section(path=TEXT)),
        "ui": _unused("no user interfaces are built here", ANY_OBJECT),
        "ui_config": _unused("no user interfaces are built here", ANY_OBJECT),
        "disable_persistence": _unused("what clients keep here is always kept", SWITCH),
        "node_version": _unused(_OTHER_LANGUAGES),
        **_BUILD,
    },
}
