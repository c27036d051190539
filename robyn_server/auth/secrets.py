"""Takes secrets out of a request's body before anything of it is stored, and puts them back for the run.

Pure. The form in between says where they stood:
`{"configurable": {...}, "context": {...}, "metadata": {...}}`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from robyn_server.resources.types import Json, JsonObject

SECRET_NAMES = frozenset({"apiKeys", "custom_api_key", "supabaseAccessToken", "x-supabase-access-token"})


def is_secret_name(name: str, extra_names: Collection[str] = ()) -> bool:
    """Whether a key holds a secret. By exact name: patterns such as `token` would eat `max_tokens`."""
    return name in SECRET_NAMES or name in extra_names


def take_secrets(body: JsonObject, extra_names: Collection[str] = ()) -> tuple[JsonObject, JsonObject]:
    """The body without its secrets, and the secrets (`{}` when there are none).

    Looks at the top level of `config.configurable`, `config.metadata`, `context` and `metadata`.
    `extra_names` are the operator's SECRET_CONFIG_KEYS. The given body stays as it is.
    """
    clean = dict(body)
    secrets: JsonObject = {}
    for place in ("context", "metadata"):
        _take(clean, place, extra_names, secrets)
    config = body.get("config")
    if isinstance(config, Mapping):
        clean["config"] = dict(config)
        for place in ("configurable", "metadata"):
            _take(clean["config"], place, extra_names, secrets)
    return clean, secrets


def merged(below: JsonObject, above: JsonObject) -> JsonObject:
    """The secrets of two sources, name by name; those `above` win. What is no place (the caller's `token`) is kept."""
    whole = {**below, **above}
    for place in below.keys() & above.keys():
        if isinstance(below[place], Mapping) and isinstance(above[place], Mapping):
            whole[place] = {**below[place], **above[place]}
    return whole


def put_back(configurable: JsonObject, context: Json, secrets: Mapping[str, Any]) -> tuple[JsonObject, Json]:
    """`configurable` and `context` as the graph shall see them: each shows what was given in the other. What stood in
    metadata comes as configurable: metadata are copied into every event of a messages stream. The given objects stay as
    they are."""
    given = {**secrets.get("context", {}), **secrets.get("configurable", {})}
    whole = {**secrets.get("metadata", {}), **configurable, **given}
    if not given:
        return whole, context
    return whole, {**context, **given} if isinstance(context, Mapping) else given


def _take(holder: JsonObject, place: str, extra_names: Collection[str], secrets: JsonObject) -> None:
    values = holder.get(place)
    if not isinstance(values, Mapping):
        return
    found = {name: value for name, value in values.items() if is_secret_name(name, extra_names)}
    if not found:
        return
    holder[place] = {name: value for name, value in values.items() if name not in found}
    secrets[place] = {**secrets.get(place, {}), **found}
