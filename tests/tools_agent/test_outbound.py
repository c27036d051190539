import httpx
import pytest
from langchain_core.messages import HumanMessage

from tools_agent.agent import graph
from tools_agent.caller import caller_from
from tools_agent.outbound import ANYWHERE, AddressRefused, outbound_for


def test_a_server_without_sign_in_is_its_owners_own() -> None:
    outbound = outbound_for(False, {})
    assert outbound.allowed == ANYWHERE
    assert outbound.may_have_token("http://anywhere.example")
    assert outbound_for(False, {"OUTBOUND_ALLOW": "localhost:7374"}).allowed == ("localhost:7374",)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9", "http://localhost:9", "http://2130706433:9", "http://[::1]:9", "http://10.0.0.1",
        "http://169.254.169.254", "http://[::ffff:127.0.0.1]", "http://0.0.0.0:9", "http://192.168.0.1",
    ],
)  # fmt: skip
async def test_users_addresses_may_not_lead_into_the_servers_network(url: str) -> None:
    with pytest.raises(AddressRefused):
        await outbound_for(True, {}).check(url)
    async with outbound_for(True, {}).client() as client:
        with pytest.raises(httpx.ConnectError, match="may not be used"):
            await client.get(url)


async def test_what_the_operator_allows_is_allowed(llm_url: str) -> None:
    host = llm_url.removeprefix("http://").removesuffix("/v1")
    for environ in (
        {"OUTBOUND_ALLOW": host},
        {"OUTBOUND_ALLOW": "127.0.0.1"},
        {"OUTBOUND_ALLOW": "10.0.0.0/8, 127.0.0.0/8"},
        {"MCP_SERVER_URL": llm_url},
    ):
        async with outbound_for(True, environ).client() as client:
            assert (await client.get(f"{llm_url}/models")).status_code == 200


def test_tokens_go_to_the_operators_hosts() -> None:
    outbound = outbound_for(
        True, {"MCP_SERVER_URL": "https://mcp.example.org/x", "RAG_API_URL": "http://rag:8080"}
    )
    assert outbound.may_have_token("https://mcp.example.org")
    assert outbound.may_have_token("http://rag:8080/collections")
    assert not outbound.may_have_token("http://rag:8081")
    assert not outbound.may_have_token("https://mcp.example.org.evil.example")
    listed = outbound_for(True, {"TOKEN_FORWARD_HOSTS": "Example.org, other:81"})
    assert listed.may_have_token("https://example.org/any")
    assert not listed.may_have_token("http://other")


async def test_a_known_callers_model_address_is_guarded_too(
    llm_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configurable = {"base_url": llm_url, "custom_model_name": "fake", "langgraph_auth_user_id": "ann"}
    question = {"messages": [HumanMessage("hello")]}
    with pytest.raises(AddressRefused, match="OUTBOUND_ALLOW"):
        await graph({"configurable": configurable})
    monkeypatch.setenv("OUTBOUND_ALLOW", "127.0.0.1")
    final = await (await graph({"configurable": configurable})).ainvoke(question)
    assert final["messages"][-1].content == "You said: hello"


def test_the_callers_token_is_the_servers_word_before_the_header() -> None:
    user = {"identity": "ann", "token": "of-server"}
    header = {"x-supabase-access-token": "of-header"}
    assert caller_from({"langgraph_auth_user": user, **header}, {}).token == "of-server"
    assert caller_from({"langgraph_auth_user": None, **header}, {}).token == "of-header"
    assert caller_from({"langgraph_auth_user_id": "ann"}, {}).identity == "ann"
    assert caller_from({}, {"owner": "ann"}).identity == "ann"
    assert caller_from({"langgraph_auth_user": None, "langgraph_auth_user_id": ""}, {}).identity == ""
    assert "of-server" not in repr(caller_from({"langgraph_auth_user": user}, {}))


async def test_a_guarded_model_streams_too(llm_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_ALLOW", "127.0.0.1")
    configurable = {"base_url": llm_url, "custom_model_name": "fake", "langgraph_auth_user_id": "ann"}
    agent = await graph({"configurable": configurable})
    parts = [part async for part in agent.astream({"messages": [("user", "a b c")]}, stream_mode="messages")]
    assert [message.text for message, _ in parts if message.text] == ["You ", "said: ", "a ", "b ", "c"]
