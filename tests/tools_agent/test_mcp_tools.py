"""Against the mcp package's own streamable HTTP server."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.tools_agent.stand_ins import Start, ask
from tools_agent.agent import graph
from tools_agent.caller import Caller
from tools_agent.configuration import MCPConfig
from tools_agent.mcp_tokens import process_cache
from tools_agent.mcp_tools import mcp_toolbox
from tools_agent.outbound import outbound_for
from tools_agent.toolbox import Toolbox

NOBODY = Caller("", None)


async def box(caller: Caller = NOBODY, environ: dict[str, str] | None = None, **settings: Any) -> Toolbox:
    outbound = outbound_for(bool(caller.identity), environ or {})
    return await mcp_toolbox(MCPConfig.model_validate(settings), caller, outbound)


def names(found: Toolbox) -> list[str]:
    return [tool.name for tool in found.tools]


async def stopped_after_tools(url: str, tool: str, **settings: Any) -> tuple[Any, Any]:
    """An agent whose model has just called this tool, and its config."""
    agent = await graph({"configurable": {"mcp_config": {"url": url, "tools": [tool], **settings}}})
    agent.checkpointer = InMemorySaver()
    config: Any = {"configurable": {"thread_id": "t"}}
    call = AIMessage("", tool_calls=[{"name": tool, "args": {"a": 2, "b": 3}, "id": "c"}])
    await agent.aupdate_state(config, {"messages": [("user", "hello"), call]}, as_node="agent")
    return agent, config


async def called(url: str, tool: str, **settings: Any) -> ToolMessage:
    """What a run gets that calls this tool."""
    agent, config = await stopped_after_tools(url, tool, **settings)
    state = await agent.ainvoke(None, config, interrupt_after=["tools"])
    message = state["messages"][-1]
    assert isinstance(message, ToolMessage)
    return message


async def test_only_the_named_tools_are_there_whatever_page_they_stand_on(mcp_url: str) -> None:
    found = await box(url=mcp_url, tools=["locked", "add", "add", "nonsense"])
    assert names(found) == ["add", "locked"]
    assert found.missing == ("MCP server 'default' has no tool nonsense",)
    assert names(await box(url=mcp_url + "/mcp/", tools=["add"])) == ["add"]
    assert names(await box(url=mcp_url, tools=[])) == []
    assert names(await box(url=mcp_url)) == []
    assert await mcp_toolbox(None, NOBODY, outbound_for(False, {})) == Toolbox()


async def test_several_servers_give_all_tools_under_names_of_their_own(mcp_url: str) -> None:
    one = {"name": "one", "url": mcp_url}
    found = await box(servers=[one, {"name": "two", "url": mcp_url, "tools": ["add"]}])
    assert names(found) == ["add", "broken", "crash", "locked", "unwanted", "add_2"]
    result = await found.tools[-1].ainvoke({"a": 1, "b": 2})
    assert result == "3\nsecond line"


async def test_text_results_are_text_and_errors_are_answers(mcp_url: str) -> None:
    message = await called(mcp_url, "add")
    assert (message.content, message.status) == ("5\nsecond line", "success")
    message = await called(mcp_url, "broken")
    assert (message.content, message.status) == ("broken it is", "error")
    message = await called(mcp_url, "crash")
    assert (message.content, message.status) == ("MCP error -32000: no such luck", "error")


async def test_a_wanted_sign_in_is_an_answer_with_the_link(mcp_url: str) -> None:
    message = await called(mcp_url, "locked")
    assert (message.content, message.status) == ("Sign in at https://example.org/sign-in", "error")


async def test_a_wanted_sign_in_can_stop_the_run_until_a_human_has_done_it(
    start_mcp: Start, start_llm: Start, tmp_path: Any
) -> None:
    url = start_mcp()
    rules = tmp_path / "rules.json"
    rules.write_text(
        '{"rules": [{"match": "open", "replies": [{"tool_calls": [{"name": "locked"}]}, {"text": "It is open."}]}]}'
    )
    configurable = {
        "base_url": start_llm("--rules", str(rules)),
        "custom_model_name": "fake",
        "mcp_config": {"url": url, "tools": ["locked"], "on_interaction_required": "interrupt"},
        "thread_id": "t",
    }
    agent = await graph({"configurable": configurable})
    agent.checkpointer = InMemorySaver()
    config: Any = {"configurable": configurable}
    state = await agent.ainvoke({"messages": [("user", "open it")]}, config)
    (stop,) = state["__interrupt__"]
    assert stop.value["action_request"] == {
        "action": "locked",
        "args": {"url": "https://example.org/sign-in"},
    }
    assert stop.value["config"]["allow_accept"] is True
    assert stop.value["description"] == "Sign in at https://example.org/sign-in"
    assert ask("POST", f"{url}/signed-in")
    state = await agent.ainvoke(Command(resume=[{"type": "accept", "args": None}]), config)
    assert [message.text for message in state["messages"][-2:]] == ["locked it is", "It is open."]


async def test_a_human_may_refuse(mcp_url: str) -> None:
    agent, config = await stopped_after_tools(mcp_url, "locked", on_interaction_required="interrupt")
    await agent.ainvoke(None, config)
    state = await agent.ainvoke(Command(resume=[{"type": "ignore"}]), config)
    refused = state["messages"][2]
    assert (refused.status, refused.content.startswith("The user did not follow")) == ("error", True)


async def test_a_server_that_is_down_is_named_to_the_model_and_the_run_goes_on(llm_url: str) -> None:
    configurable = {
        "base_url": llm_url,
        "custom_model_name": "fake",
        "mcp_config": {"url": "http://127.0.0.1:9", "tools": ["search"]},
    }
    agent = await graph({"configurable": configurable})
    final = await agent.ainvoke({"messages": [("user", "hello")]})
    assert final["messages"][-1].content == "You said: hello"
    body = ask("GET", llm_url.removesuffix("/v1") + "/requests")[0]["body"]
    told = body["messages"][0]["content"]
    assert (
        "The tools of MCP server 'default' (search) cannot be used: the server could not be reached" in told
    )


@pytest.mark.parametrize("url", ["http://a:port", "ftp://a", "nonsense", "http://[::1", "http://"])
@pytest.mark.parametrize("auth_required", [False, True])
async def test_what_is_no_address_is_a_server_that_is_down(url: str, auth_required: bool) -> None:
    found = await box(Caller("", "user-jwt"), url=url, tools=["add"], auth_required=auth_required)
    assert names(found) == []
    assert "could not be reached" in found.missing[0]


async def test_the_users_token_is_exchanged_once_for_the_servers_own(start_mcp: Start) -> None:
    process_cache.cache_clear()
    url = start_mcp("--token", "of-the-server")
    settings = {"url": url, "tools": ["add"], "auth_required": True}
    for _ in range(2):
        found = await box(Caller("", "user-jwt"), **settings)
        assert names(found) == ["add"], found.missing
    assert ask("GET", f"{url}/seen")["exchanges"] == 1
    assert names(await box(Caller("", "other"), **settings)) == []
    assert (await box(**settings)).missing[0].endswith("it needs a signed-in user")
    assert "status 401" in (await box(url=url, tools=["add"])).missing[0]


async def test_a_server_without_an_exchange_is_given_the_users_own_token(mcp_url: str) -> None:
    process_cache.cache_clear()
    found = await box(Caller("", "user-jwt"), url=mcp_url, tools=["add"], auth_required=True)
    assert names(found) == ["add"]


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "TOKEN_FORWARD_HOSTS"),
        ({"TOKEN_FORWARD_HOSTS": "127.0.0.1"}, "could not be reached"),
        ({"OUTBOUND_ALLOW": "127.0.0.1"}, "TOKEN_FORWARD_HOSTS"),
        ({"TOKEN_FORWARD_HOSTS": "127.0.0.1", "OUTBOUND_ALLOW": "*"}, None),
        ({"MCP_SERVER_URL": "its own"}, None),
    ],
)
async def test_where_callers_are_known_addresses_and_tokens_are_guarded(
    guarded_mcp_url: str, environ: dict[str, str], missing: str | None
) -> None:
    process_cache.cache_clear()
    if "MCP_SERVER_URL" in environ:
        environ = {"MCP_SERVER_URL": guarded_mcp_url}
    ann = Caller("ann", "user-jwt")
    found = await box(ann, environ, url=guarded_mcp_url, tools=["add"], auth_required=True)
    if missing is None:
        assert names(found) == ["add"], found.missing
    else:
        assert names(found) == []
        assert missing in found.missing[0]


async def test_a_run_has_one_session_with_a_server(start_mcp: Start) -> None:
    url = start_mcp()
    (add,) = (await box(url=url, tools=["add"])).tools
    results = await asyncio.gather(*(add.ainvoke({"a": number, "b": 1}) for number in range(5)))
    assert [result.splitlines()[0] for result in results] == ["1", "2", "3", "4", "5"]
    counts = ask("GET", f"{url}/seen")
    assert (counts["calls"], counts["sessions"]) == (5, 1)


async def test_a_session_that_has_ended_is_followed_by_another(
    start_mcp: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools_agent.mcp_session.IDLE_SECONDS", 0.0)
    url = start_mcp()
    (add,) = (await box(url=url, tools=["add"])).tools
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "mcp session"], timeout=10)
    before = ask("GET", f"{url}/seen")["sessions"]
    assert (await add.ainvoke({"a": 1, "b": 1})).startswith("2")
    assert ask("GET", f"{url}/seen")["sessions"] == before + 1
