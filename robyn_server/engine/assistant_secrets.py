"""The secrets in an assistant's configuration: sealed in its row, masked where it is shown, open for its runs."""

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import orjson

from robyn_server.auth.sealing import CannotOpen, Sealer
from robyn_server.auth.secrets import MASK, NOT_GIVEN, is_secret_name, unmasked
from robyn_server.errors import Conflict
from robyn_server.resources.assistant import Assistant, AssistantVersion
from robyn_server.resources.types import Json, JsonObject

SEALED = "__sealed__"
CANNOT_OPEN = "The assistant's {} was sealed with another key: save it again."

Form = TypeVar("Form", Assistant, AssistantVersion)


class AssistantSecrets:
    """Looks at the top level of `config.configurable`, `config.metadata` and `context`. `extra_names` are the
    operator's SECRET_CONFIG_KEYS. A row from before they were sealed is read as well."""

    def __init__(self, sealer: Sealer, extra_names: Collection[str] = ()) -> None:
        self._sealer = sealer
        self._extra_names = extra_names

    def shown(self, form: Form) -> Form:
        """With MASK in place of each secret; an object of secrets (`apiKeys`) keeps its keys."""
        return _changed(
            form, lambda values: self._each(values, lambda _, value: _masked(self._peek(value, MASK)))
        )

    def opened(self, assistant: Assistant) -> Assistant:
        """As its runs need it. Raises `Conflict` when the key was changed."""
        return _changed(assistant, lambda values: self._each(values, self._open))

    def sealed(self, given: JsonObject, present: Assistant | None = None) -> JsonObject:
        """`given` with its `config` and `context` as they are stored. A mask stands for what is `present`."""
        kept = {} if present is None else self._kept(present)

        def seal(name: str, value: Json) -> Json:
            whole = unmasked(value, kept.get(name, NOT_GIVEN))
            return whole if whole is NOT_GIVEN or not whole else self._seal(whole)

        sealed = dict(given)
        if given.get("config") is not None:
            sealed["config"] = _in_config(given["config"], lambda values: self._each(values, seal))
        if given.get("context") is not None:
            sealed["context"] = self._each(given["context"], seal)
        return sealed

    def _kept(self, present: Assistant) -> JsonObject:
        places = (
            present.context,
            present.config.get("metadata") or {},
            present.config.get("configurable") or {},
        )
        return {
            name: self._peek(value, NOT_GIVEN)
            for values in places
            for name, value in values.items()
            if is_secret_name(name, self._extra_names)
        }

    def _each(self, values: JsonObject, change: Callable[[str, Json], Json]) -> JsonObject:
        secrets = [name for name in values if is_secret_name(name, self._extra_names)]
        if not secrets:
            return values
        changed = {**values, **{name: change(name, values[name]) for name in secrets}}
        return {name: value for name, value in changed.items() if value is not NOT_GIVEN}

    def _seal(self, value: Json) -> JsonObject:
        return {SEALED: base64.b64encode(self._sealer.seal(orjson.dumps(value))).decode()}

    def _open(self, name: str, value: Json) -> Json:
        if not (isinstance(value, Mapping) and value.keys() == {SEALED}):
            return value
        try:
            return orjson.loads(self._sealer.open(base64.b64decode(value[SEALED])))
        except (CannotOpen, ValueError) as error:
            raise Conflict(CANNOT_OPEN.format(name)) from error

    def _peek(self, value: Json, otherwise: Json) -> Json:
        try:
            return self._open("", value)
        except Conflict:
            return otherwise


def _masked(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _masked(part) for key, part in value.items()}
    return MASK if value else value


def _changed(form: Form, change: Callable[[JsonObject], JsonObject]) -> Form:
    config, context = _in_config(form.config, change), change(form.context)
    unchanged = config is form.config and context is form.context
    return form if unchanged else replace(form, config=config, context=context)


def _in_config(config: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    changed = config
    for place in ("configurable", "metadata"):
        values = config.get(place)
        if isinstance(values, dict) and (new := change(values)) is not values:
            changed = {**changed, place: new}
    return changed
