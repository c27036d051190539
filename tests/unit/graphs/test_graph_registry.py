import sys

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from robyn_server.errors import BadGraph, NotFound

CONFIG = {"configurable": {"thread_id": "t", "suffix": "given"}}


async def seen(registry, graph_id, **options):
    """What the graph's factory was given, as its only node tells."""
    options = {"checkpointer": None, "store": InMemoryStore(), **options}
    async with registry.open(graph_id, CONFIG, **options) as graph:
        return (await graph.ainvoke({}, {"configurable": {"thread_id": "t"}}))["seen"]


async def test_a_ready_graph_gets_the_checkpointer_and_store_and_stays_as_it_is(serving):
    registry = serving("plain.py:echo")
    saver, store = InMemorySaver(), InMemoryStore()
    async with registry.open("echo", CONFIG, checkpointer=saver, store=store) as graph:
        assert (graph.checkpointer, graph.store, graph.name) == (saver, store, "echo")
    async with registry.open("echo", CONFIG, checkpointer=None, store=None) as graph:
        assert (graph.checkpointer, graph.store) == (None, None)


async def test_a_builder_is_compiled_once(serving):
    registry = serving("plain.py:builder")
    async with registry.open("builder", CONFIG, checkpointer=None, store=None) as one:
        async with registry.open("builder", CONFIG, checkpointer=None, store=None) as two:
            assert one is not two
            assert one.nodes is two.nodes
        assert (await one.ainvoke({}, CONFIG))["log"] == ["t"]


async def test_subgraphs_inherit_the_checkpointer_and_interrupts_resume(serving):
    registry = serving("plain.py:interrupting", "plain.py:subgraphs")
    saver = InMemorySaver()
    async with registry.open("interrupting", CONFIG, checkpointer=saver, store=None) as graph:
        await graph.ainvoke({"note": "n"}, CONFIG)
        assert (await graph.aget_state(CONFIG)).next == ("ask",)
    async with registry.open("interrupting", CONFIG, checkpointer=saver, store=None) as graph:
        state = await graph.ainvoke(Command(resume="this"), CONFIG)
        assert state["log"] == ["answer=this", "finished"]
    async with registry.open("subgraphs", CONFIG, checkpointer=saver, store=None) as graph:
        inner = {"configurable": {"thread_id": "other"}}
        chunks = [
            chunk async for chunk in graph.astream({}, inner, stream_mode="checkpoints", subgraphs=True)
        ]
    assert {len(namespace) for namespace, _ in chunks} == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "nothing"),
        ("by_name", "given"),
        ("by_annotation", "given"),
        ("alone", "given"),
        ("by_position", "given"),
        ("coroutine", "coroutine"),
        ("async_manager", "given"),
        ("manager", "manager"),
        ("instance", "given"),
        ("partial", "partial given"),
        ("runtime_by_name", "threads.create_run None {'tone': 'x'} True"),
        ("runtime_by_annotation", "threads.create_run None {'tone': 'x'} True"),
        ("both", "given threads.create_run None {'tone': 'x'} True 3"),
    ],
)
async def test_factories_get_what_they_ask_for(serving, name, told):
    assert await seen(serving(f"factories.py:{name}"), name, context={"tone": "x"}) == told


async def test_factories_hear_why_they_are_called(serving):
    registry = serving("factories.py:runtime_by_name", "factories.py:says_purpose")
    assert await seen(registry, "runtime_by_name", purpose="threads.read") == "threads.read None - True"
    assert await seen(registry, "says_purpose") == "True"
    assert await seen(registry, "says_purpose", purpose="threads.update") == "False"


async def test_the_runtime_shows_the_user(serving):
    registry = serving("factories.py:runtime_by_name")
    config = {"configurable": {"langgraph_auth_user": {"identity": "ann", "role": "admin"}}}
    async with registry.open("runtime_by_name", config, checkpointer=None, store=None) as graph:
        assert (await graph.ainvoke({}))["seen"].startswith("threads.create_run ann ")


async def test_context_managers_are_left_after_use_and_after_errors(serving):
    registry = serving("factories.py:async_manager", "factories.py:manager", "factories.py:nothing")
    factories = next(
        module for name, module in sys.modules.items() if name.startswith("langgraph_file_factories")
    )
    for name, mark in (("async_manager", "async"), ("manager", "sync")):
        with pytest.raises(RuntimeError, match="in use"):
            async with registry.open(name, CONFIG, checkpointer=None, store=None):
                assert factories.entered == [mark]
                raise RuntimeError("in use")
        assert factories.entered == []


async def test_what_a_factory_changes_in_its_config_holds_for_the_run_only(serving):
    registry = serving("factories.py:changes_config")
    config = {"configurable": {"suffix": "mine"}}
    async with registry.open("changes_config", config, checkpointer=None, store=None) as graph:
        assert (await graph.ainvoke({}))["limit"] == 77
    assert config == {"configurable": {"suffix": "mine"}}


async def test_a_broken_factory_speaks_for_itself(serving):
    registry = serving("factories.py:raises", "factories.py:no_graph")
    with pytest.raises(ValueError, match="the factory broke"):
        await seen(registry, "raises")
    with pytest.raises(BadGraph, match="Graph 'no_graph' is not valid"):
        await seen(registry, "no_graph")


async def test_names_are_those_of_ready_graphs_or_the_ids(serving):
    registry = serving("plain.py:steps", "plain.py:echo", "factories.py:coroutine")
    assert [await registry.name(graph_id) for graph_id in registry.ids()] == [
        "Two Steps",
        "echo",
        "coroutine",
    ]


def test_an_unknown_graph_is_not_found(serving):
    registry = serving("plain.py:steps", "plain.py:echo")
    with pytest.raises(NotFound) as caught:
        registry.open("x", {}, checkpointer=None, store=None)
    assert caught.value.message == "Graph 'x' not found. Expected one of: ['echo', 'steps']"


def test_context_properties_are_the_names_in_the_schema(serving):
    registry = serving("plain.py:configured", "plain.py:echo", "plain.py:unspeakable", "factories.py:nothing")
    found = [registry.context_properties(graph_id) for graph_id in registry.ids()]
    assert found == [frozenset({"tone", "size"}), None, None, None]
