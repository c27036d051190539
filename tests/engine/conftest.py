"""`parts`: real storage, log and graphs in a fresh folder, with no worker. `engine` acts for anonymous."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robyn_server.auth.interfaces import Credentials, Resource
from robyn_server.auth.owner_rules import owner_rule
from robyn_server.engine import Engine
from robyn_server.engine.parts import Parts
from robyn_server.resources.caller import Caller
from robyn_server.resources.ids import new_id
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.run import NewRun, Run, ThreadForRun
from robyn_server.resources.types import JsonObject
from robyn_server.runtime import open_runtime, prepare
from robyn_server.settings import Settings

GRAPHS = Path(__file__).parent.parent / "graphs" / "plain.py"


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    config_path = tmp_path / "langgraph.json"
    graphs = {
        "steps": f"{GRAPHS}:steps",
        "chat": {"path": f"{GRAPHS}:echo", "description": "Says it back"},
        "nested": f"{GRAPHS}:subgraphs",
    }
    config_path.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    runtime = await open_runtime(prepare(Settings(config_path=config_path, data_dir=tmp_path)))
    yield runtime.parts
    await runtime.close()


@pytest.fixture
async def engine(parts: Parts) -> Engine:
    engine = Engine(parts)
    await engine.assistants.register_system_assistants()
    return engine


class Owners:
    """The built-in rules of ownership, without anybody to log in to."""

    mode = "supabase"

    async def authenticate(self, credentials: Credentials) -> Caller:
        return Caller(credentials.headers["who"])

    async def authorize(
        self, caller: Caller, resource: Resource, action: str, value: JsonObject
    ) -> MetadataFilter:
        return owner_rule(caller.identity, resource, action, value)

    async def close(self) -> None: ...


@pytest.fixture
def acting_for(parts: Parts, engine: Engine) -> Callable[[str], Engine]:
    """The same server with owners: an engine for somebody."""
    owned = Engine(replace(parts, auth=Owners()))
    return lambda name: owned.acting_for(Caller(name))


@pytest.fixture
def queue_run(parts: Parts) -> Callable[[str, str], Awaitable[Run]]:
    """Queues a run that nobody works on."""

    async def queue(thread_id: str, assistant_id: str) -> Run:
        new = NewRun(new_id(), thread_id, assistant_id, "steps", {}, {}, {})
        return (await parts.storage.queue.create(new, ThreadForRun(False, {}, {}))).run

    return queue
