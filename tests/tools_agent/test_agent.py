"""The agent in this process, against the model stand-in in another."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.tools_agent.stand_ins import ask
from tools_agent.agent import _merge_assistant_configurable_into_run_config, graph
from tools_agent.prompts import FIXED_ENDING, NOT_ANSWERED

QUESTION = {"messages": [{"role": "user", "content": "What is 2 + 2? Answer with just the number."}]}


async def events(agent: Any, given: Any, config: Any = None) -> list[tuple[str, Any]]:
    return [
        part async for part in agent.astream(given, config, stream_mode=["values", "messages", "updates"])
    ]


def at(url: str, **more: Any) -> dict[str, Any]:
    return {"configurable": {"base_url": url, "model_name": "custom:", "custom_model_name": "fake", **more}}


def requests(url: str) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = ask("GET", url.removesuffix("/v1") + "/requests")
    return seen


async def test_a_demo_run_streams_a_call_its_result_and_an_answer() -> None:
    seen = await events(await graph({"configurable": {}}), QUESTION)
    assert [list(part) for mode, part in seen if mode == "updates"] == [["agent"], ["tools"], ["agent"]]
    told = [message for mode, part in seen if mode == "messages" for message in [part[0]]]
    assert len({message.id for message in told}) == 3
    final = seen[-1][1]["messages"]
    assert [message.type for message in final] == ["human", "ai", "tool", "ai"]
    assert final[2].content == "4"
    assert final[3].content.startswith("2 + 2 = 4. ")


async def test_a_failed_calculation_does_not_end_the_run() -> None:
    final = await (await graph({"configurable": {}})).ainvoke({"messages": [("user", "What is 1 / 0?")]})
    assert (final["messages"][2].status, final["messages"][2].content) == ("error", "Division by zero.")
    assert "Division by zero" in final["messages"][3].content


async def test_a_run_of_a_real_client_has_the_sequence_of_one_turn(llm_url: str) -> None:
    seen = await events(
        await graph(at(llm_url, temperature=0.1, max_tokens=9, system_prompt="Be short.")), QUESTION
    )
    modes = [mode for mode, _ in seen]
    assert modes[0] == "values"
    assert modes[-2:] == ["updates", "values"]
    assert set(modes[1:-2]) == {"messages"}
    assert len(modes[1:-2]) >= 2
    assert seen[-2][1]["agent"]["messages"][0].content == "4"
    assert [message.type for message in seen[-1][1]["messages"]] == ["human", "ai"]
    (request,) = requests(llm_url)
    assert request["authorization"] == "Bearer EMPTY"
    body = request["body"]
    assert (
        body["model"],
        body["temperature"],
        body.get("max_completion_tokens", body.get("max_tokens")),
    ) == (
        "fake",
        0.1,
        9,
    )
    assert "tools" not in body
    assert body["messages"][0] == {"role": "system", "content": "Be short." + FIXED_ENDING}


async def test_a_refusing_model_is_asked_again(llm_url: str) -> None:
    final = await (await graph(at(llm_url))).ainvoke({"messages": [("user", "rate_limit please")]})
    assert final["messages"][-1].content == "Done after two refusals."
    assert len(requests(llm_url)) == 3


async def test_a_model_server_that_is_down_is_an_error() -> None:
    import openai  # noqa: PLC0415 - takes a second, and only this test wants it

    agent = await graph(at("http://127.0.0.1:9/v1"))
    with pytest.raises(openai.APIConnectionError, match="Connection error"):
        await agent.ainvoke(QUESTION)


async def test_a_call_that_was_cut_off_is_answered_before_the_model_sees_it(llm_url: str) -> None:
    cut = AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "call_1"}])
    await (await graph(at(llm_url))).ainvoke({"messages": [HumanMessage("go"), cut, HumanMessage("well?")]})
    sent = requests(llm_url)[0]["body"]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "user"]
    assert (sent[3]["tool_call_id"], sent[3]["content"]) == ("call_1", NOT_ANSWERED)


async def test_a_chosen_model_without_its_key_ends_the_run_and_says_which() -> None:
    with pytest.raises(ValueError, match="ANTHROPIC_API_KEY"):
        await graph({"configurable": {"model_name": "anthropic:claude-sonnet-4-0"}})


async def test_looking_at_the_graph_needs_neither_model_nor_servers() -> None:
    configurable = {
        "__is_for_execution__": False,
        "model_name": "anthropic:claude-sonnet-4-0",
        "mcp_config": {"url": "http://127.0.0.1:9", "tools": ["a"]},
    }
    agent = await graph({"configurable": configurable})
    assert set(agent.nodes) == {"__start__", "agent", "tools"}


@pytest.mark.parametrize(
    "holder",
    [
        {"assistant": {"configurable": {"model_name": "A", "temperature": 0.1}}},
        {"assistant_config": {"configurable": {"model_name": "A", "temperature": 0.1}}},
        {"assistant_configurable": {"model_name": "A", "temperature": 0.1}},
    ],
)
def test_assistant_values_stand_below_those_of_the_run(holder: dict[str, Any]) -> None:
    merged = _merge_assistant_configurable_into_run_config({"configurable": {**holder, "model_name": "B"}})
    assert (merged["configurable"]["model_name"], merged["configurable"]["temperature"]) == ("B", 0.1)


@pytest.mark.parametrize("config", [{}, {"configurable": {"assistant": "agent", "assistant_config": None}}])
def test_a_config_without_assistant_values_stays_as_it_is(config: Any) -> None:
    assert _merge_assistant_configurable_into_run_config(config) is config
