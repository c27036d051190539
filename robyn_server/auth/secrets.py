"""Takes secrets out of a request's body before anything of it is stored, and puts them back for the run.

Pure. The form in between says where they stood:
`{"configurable": {...}, "context": {...}, "metadata": {...}}`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from robyn_server.resources.types import Json, JsonObject

MIRRORED = ("configurable", "context")
COLLECTIONS_ACCESS = "collections_access"
"""What the server gives a run to read its caller's collections with: `{"url", "ticket"}`."""

SECRET_NAMES = frozenset(
    {"apiKeys", "custom_api_key", "supabaseAccessToken", "x-supabase-access-token", COLLECTIONS_ACCESS}
)

MASK = "********"
"""What clients read in place of an assistant's secret; sent back, it stands for that secret."""

NOT_GIVEN: Any = object()
"""No secret at all."""


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
    """The secrets of two sources, name by name; those `above` win, in whichever of configurable and context they stand,
    and their masks stand for those `below`. What is no place (the caller's `token`) is kept."""
    known = {name: value for place in _places(below) for name, value in below[place].items()}
    given = {
        place: {
            name: whole
            for name, value in above[place].items()
            if (whole := unmasked(value, known.get(name, NOT_GIVEN))) is not NOT_GIVEN
        }
        for place in _places(above)
    }
    named = {name for place in MIRRORED for name in given.get(place, ())}
    whole = {**below, **above}
    for place in {*_places(below), *given}:
        kept = {
            name: value
            for name, value in below.get(place, {}).items()
            if not (place in MIRRORED and name in named)
        }
        whole[place] = {**kept, **given.get(place, {})}
    return whole


def unmasked(value: Json, kept: Json) -> Json:
    """A secret as a client sends it, with what is kept in place of masks; NOT_GIVEN when there is nothing else."""
    if isinstance(value, str) and value == MASK:
        return kept
    if not isinstance(value, Mapping):
        return value
    parts = {
        name: unmasked(part, kept.get(name, NOT_GIVEN) if isinstance(kept, Mapping) else NOT_GIVEN)
        for name, part in value.items()
    }
    given = {name: part for name, part in parts.items() if part is not NOT_GIVEN}
    return given if given or not value else NOT_GIVEN


def _places(secrets: JsonObject) -> list[str]:
    return [place for place, values in secrets.items() if isinstance(values, Mapping)]


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
