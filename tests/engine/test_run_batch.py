"""Many stateless runs in one request."""

import pytest

from robyn_server.errors import DomainError

GOOD = {"assistant_id": "steps", "input": {}}


@pytest.mark.parametrize(
    "bad",
    [
        {"command": {"resume": "an answer"}},
        {"checkpoint_id": "no id"},
        {"assistant_id": "no graph"},
        {"webhook": "ftp://nowhere"},
    ],
)
async def test_a_bad_one_fails_all_before_any_is_queued(engine, parts, bad):
    with pytest.raises(DomainError):
        await engine.runs.create_batch([GOOD, {**GOOD, **bad}])
    assert (await parts.storage.queue.census(parts.storage.now())).pending == 0


async def test_they_are_queued_in_their_order(engine, parts):
    made = await engine.runs.create_batch([{**GOOD, "metadata": {"n": n}} for n in range(3)])
    assert [run.metadata["n"] for run in sorted(made, key=lambda run: run.seq)] == [0, 1, 2]
