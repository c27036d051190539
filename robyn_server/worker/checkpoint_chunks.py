"""Stream modes `checkpoints` and `debug`: what of a checkpoint is told."""

from collections.abc import Collection

from robyn_server.auth.secrets import is_secret_name
from robyn_server.resources.types import JsonObject


def told_checkpoint(payload: JsonObject, secret_names: Collection[str] = ()) -> JsonObject:
    """A checkpoint as mode `checkpoints` tells it: LangGraph's payload, its configs without secrets: the
    usual ones (`auth/secrets.py`) and `secret_names`."""
    return {
        **payload,
        "config": _told_config(payload["config"], secret_names),
        "parent_config": _told_config(payload["parent_config"], secret_names),
    }


def told_debug(event: JsonObject, secret_names: Collection[str] = ()) -> JsonObject:
    """An event of mode `debug`. Checkpoints also say which they are in the words of the API (`checkpoint`,
    `parent_checkpoint`), and so do tasks that wait for a subgraph (`checkpoint` in place of `state`)."""
    if event["type"] != "checkpoint":
        return event
    payload = told_checkpoint(event["payload"], secret_names)
    payload["tasks"] = [_told_task(task) for task in payload["tasks"]]
    payload["checkpoint"] = _reference(payload["config"])
    payload["parent_checkpoint"] = _reference(payload["parent_config"])
    return {**event, "payload": payload}


def _told_config(config: JsonObject | None, secret_names: Collection[str]) -> JsonObject | None:
    if config is None:
        return None
    told = {
        name: value
        for name, value in config["configurable"].items()
        if not is_secret_name(name, secret_names)
    }
    user = told.get("langgraph_auth_user")
    if isinstance(user, dict) and "token" in user:
        told["langgraph_auth_user"] = {name: value for name, value in user.items() if name != "token"}
    return {**config, "configurable": told}


def _told_task(task: JsonObject) -> JsonObject:
    state = task.get("state")
    if not (isinstance(state, dict) and "configurable" in state):
        return task
    told = {key: value for key, value in task.items() if key != "state"}
    told["checkpoint"] = _reference(state)
    return told


def _reference(config: JsonObject | None) -> JsonObject | None:
    """`{checkpoint_id, thread_id, checkpoint_ns, checkpoint_map}`, those of them that the config names."""
    if not config:
        return None
    configurable = config["configurable"]
    names = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")
    return {name: configurable[name] for name in names if name in configurable}
