"""The keys in an assistant's configuration: sealed, masked, and there for its runs."""

from dataclasses import replace

import pytest

from robyn_server.auth.sealing import Sealer
from robyn_server.auth.secrets import MASK
from robyn_server.engine import Engine
from robyn_server.errors import Conflict
from robyn_server.resources.assistant import AssistantChange

KEYS = {"apiKeys": {"OPENAI_API_KEY": "hush-1", "GOOGLE_API_KEY": "hush-2"}, "custom_api_key": "hush-3"}
SHOWN = {"apiKeys": {"OPENAI_API_KEY": MASK, "GOOGLE_API_KEY": MASK}, "custom_api_key": MASK}


async def test_nobody_reads_them_and_the_row_does_not_hold_them(engine, parts):
    assistants = engine.assistants
    made = await assistants.create("steps", config={"configurable": {**KEYS, "max_tokens": 5}})
    assert made.config["configurable"] == made.context == {**SHOWN, "max_tokens": 5}
    row = await parts.storage.assistants.get(made.assistant_id)
    (version,) = await parts.storage.assistants.versions(made.assistant_id, {}, 10, 0)
    assert "hush" not in repr((row, version))
    for shown in (
        await assistants.get(made.assistant_id),
        await assistants.set_latest(made.assistant_id, 1),
        *await assistants.versions(made.assistant_id),
    ):
        assert shown.config["configurable"] == made.config["configurable"]
    opened = await assistants.resolve(made.assistant_id)
    assert opened.config["configurable"] == opened.context == {**KEYS, "max_tokens": 5}


@pytest.mark.parametrize("place", ["config", "context"])
async def test_what_was_read_can_be_saved_again(engine, place):
    def given(values):
        return {place: {"configurable": values} if place == "config" else values}

    assistants = engine.assistants
    made = await assistants.create("steps", **given(KEYS))
    again = {**SHOWN, "max_tokens": 6}
    again["apiKeys"] = {"OPENAI_API_KEY": MASK, "GOOGLE_API_KEY": "hush-4"}
    await assistants.update(made.assistant_id, **given(again))
    await assistants.update(made.assistant_id, name="another name")
    opened = await assistants.resolve(made.assistant_id)
    assert (
        opened.config["configurable"]
        == opened.context
        == {
            "apiKeys": {"OPENAI_API_KEY": "hush-1", "GOOGLE_API_KEY": "hush-4"},
            "custom_api_key": "hush-3",
            "max_tokens": 6,
        }
    )
    await assistants.update(made.assistant_id, **given({"custom_api_key": None}))
    assert (await assistants.resolve(made.assistant_id)).context == {"custom_api_key": None}
    await assistants.update(made.assistant_id, **given({"custom_api_key": MASK, "a": 1}))
    assert (await assistants.get(made.assistant_id)).context == {"custom_api_key": None, "a": 1}


async def test_a_row_from_before_is_read_and_sealed_when_saved(engine, parts):
    made = await engine.assistants.create("steps")
    clear = AssistantChange(config={"configurable": KEYS}, context=KEYS)
    await parts.storage.assistants.update(made.assistant_id, clear)
    assert (await engine.assistants.get(made.assistant_id)).context == SHOWN
    assert (await engine.assistants.resolve(made.assistant_id)).context == KEYS
    await engine.assistants.update(made.assistant_id, config={"configurable": SHOWN})
    assert "hush" not in repr(await parts.storage.assistants.get(made.assistant_id))
    assert (await engine.assistants.resolve(made.assistant_id)).context == KEYS


async def test_another_key_is_told_and_repaired_by_saving(engine, parts):
    made = await engine.assistants.create("steps", context=KEYS)
    other = Engine(replace(parts, sealer=Sealer(b"another")))
    assert (await other.assistants.get(made.assistant_id)).context == {**SHOWN, "apiKeys": MASK}
    with pytest.raises(Conflict, match="was sealed with another key: save it again"):
        await other.assistants.resolve(made.assistant_id)
    await other.assistants.update(made.assistant_id, context=SHOWN)
    assert (await other.assistants.get(made.assistant_id)).context == {}
    await other.assistants.update(made.assistant_id, context=KEYS)
    assert (await other.assistants.resolve(made.assistant_id)).context == KEYS
