"""LangGraph's own client of a served graph, `RemoteGraph`: alone, with state, and as a part of another graph."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command

from tests.http.test_runs import STEPS
from tests.project.graphs import Log, row, says
from tests.server_process import ServerProcess

Remote: TypeAlias = Callable[[str], RemoteGraph]


@pytest.fixture
async def remote(server: ServerProcess) -> AsyncIterator[Remote]:
    """Makes remote graphs by name."""
    async with server.sdk() as client:
        with server.sync_sdk() as sync_client:
            yield lambda name: RemoteGraph(name, client=client, sync_client=sync_client)


@pytest.fixture
def thread() -> RunnableConfig:
    """The config of a thread that nobody has made yet."""
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


async def test_it_is_invoked_and_streamed(remote: Remote) -> None:
    steps = remote("steps")
    assert await steps.ainvoke({"log": ["before"]}) == {"log": ["before", *STEPS]}
    assert steps.invoke({"log": []}) == {"log": STEPS}
    updates = [part async for part in steps.astream({"log": []}, stream_mode="updates")]
    assert updates == [{word: {"log": [word]}} for word in STEPS]
    both = [part for part in steps.stream({"log": []}, stream_mode=["custom", "values"])]
    assert [part.data for part in both if part.event == "custom"] == [{"saying": word} for word in STEPS]
    assert both[-1][:2] == ("values", {"log": STEPS})
    with pytest.raises(RemoteException, match="it went wrong"):
        await remote("failing").ainvoke({"log": []})


async def test_it_shows_its_subgraphs(remote: Remote) -> None:
    parts = [
        ([piece.partition(":")[0] for piece in namespace], data)
        async for namespace, data in remote("subgraphs").astream(
            {"log": []}, stream_mode="updates", subgraphs=True
        )
    ]
    assert [(namespace, list(data)) for namespace, data in parts] == [
        ([], ["top"]),
        (["child"], ["middle"]),
        (["child", "grandchild"], ["leaf"]),
        (["child"], ["grandchild"]),
        ([], ["child"]),
    ]


async def test_it_is_drawn(remote: Remote) -> None:
    subgraphs = remote("subgraphs")
    assert set((await subgraphs.aget_graph()).nodes) == {"__start__", "top", "child", "__end__"}
    assert set(subgraphs.get_graph(xray=True).nodes) > {"__start__", "top", "__end__"}


async def test_its_state_is_read_and_written(remote: Remote, thread: RunnableConfig) -> None:
    steps = remote("steps")
    await steps.ainvoke({"log": []}, thread)
    state = await steps.aget_state(thread)
    assert (state.values, state.next) == ({"log": STEPS}, ())
    history = [one async for one in steps.aget_state_history(thread)]
    assert [one.values.get("log") for one in history] == [STEPS, ["one", "two"], ["one"], [], []]
    assert (
        history[0].parent_config["configurable"]["checkpoint_id"]
        == (history[1].config["configurable"]["checkpoint_id"])
    )
    assert [one.values for one in steps.get_state_history(thread, limit=2)] == [
        one.values for one in history[:2]
    ]
    assert (await steps.aget_state(history[2].config)).values == {"log": ["one"]}
    written = await steps.aupdate_state(history[2].config, {"log": ["by hand"]}, as_node="two")
    assert (await steps.aget_state(written)).next == ("three",)
    assert await steps.ainvoke(None, written) == {"log": ["one", "by hand", "three"]}


async def test_it_asks_and_is_answered(remote: Remote, thread: RunnableConfig) -> None:
    asking = remote("interrupting")
    parts = [part async for part in asking.astream({"log": []}, thread, stream_mode="updates")]
    assert [one["value"] for one in parts[-1]["__interrupt__"]] == [{"question": "which?"}]
    state = await asking.aget_state(thread)
    assert state.next == ("ask",)
    assert [one.value for one in state.tasks[0].interrupts] == [{"question": "which?"}]
    assert await asking.ainvoke(Command(resume="this"), thread) == {
        "log": ["prepared", "answer: this", "finished"]
    }


async def test_it_stops_where_it_is_told_to(remote: Remote, thread: RunnableConfig) -> None:
    steps = remote("steps")
    await steps.ainvoke({"log": []}, thread, interrupt_before=["three"])
    assert (await steps.aget_state(thread)).next == ("three",)
    assert await steps.ainvoke(None, thread, interrupt_after=["three"]) == {"log": STEPS}


def outer(inner: Any) -> Any:
    """A local graph with the remote one in the middle."""
    builder = row(Log, ("here", says("here")), ("there", inner), ("back", says("back")))
    return builder.compile(checkpointer=InMemorySaver())


async def test_it_is_a_node_of_another_graph(remote: Remote) -> None:
    graph = outer(remote("steps"))
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    parts = [
        (len(namespace), data)
        async for namespace, data in graph.astream({"log": []}, config, stream_mode="updates", subgraphs=True)
    ]
    assert [data for depth, data in parts if depth] == [{word: {"log": [word]}} for word in STEPS], parts
    values = (await graph.aget_state(config)).values["log"]
    assert values[-1] == "back"
    assert [word for word in values if word in STEPS] == STEPS


async def test_a_question_of_a_node_reaches_the_graph_around_it(remote: Remote) -> None:
    graph = outer(remote("interrupting"))
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    parts = [part async for part in graph.astream({"log": []}, config, stream_mode="updates")]
    assert [one.value for one in parts[-1]["__interrupt__"]] == [{"question": "which?"}]
    assert (await graph.aget_state(config)).next == ("there",)
