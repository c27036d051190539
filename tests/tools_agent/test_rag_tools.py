from typing import Any

from tests.fakes.rag_server import BROKEN, FIRST, SECOND
from tests.tools_agent.stand_ins import Start
from tools_agent.caller import Caller
from tools_agent.configuration import RagConfig
from tools_agent.outbound import outbound_for
from tools_agent.rag_tools import rag_toolbox
from tools_agent.toolbox import Toolbox, merged

ANN = Caller("ann", "user-jwt")
FOREIGN = "00000000-0000-0000-0000-000000000009"


async def box(url: str | None, *collections: str, caller: Caller = ANN, **environ: str) -> Toolbox:
    settings = RagConfig.model_validate({"rag_url": url, "collections": list(collections)})
    environ = environ or {"RAG_API_URL": url or ""}
    return merged([await rag_toolbox(settings, caller, outbound_for(bool(caller.identity), environ))])


async def test_each_collection_is_a_tool_with_a_name_of_its_own(start_rag: Start) -> None:
    found = await box(start_rag(), FIRST, SECOND)
    told: list[tuple[str, Any]] = [(tool.name, tool.description) for tool in found.tools]
    plain = "Search your collection of documents for results semantically similar to the input query"
    assert told == [
        ("My_docs___notes", f"{plain}. Collection description: All of mine"),
        ("My_docs___notes_2", plain),
    ]
    assert await found.tools[0].ainvoke({"query": "cats"}) == (
        '<all-documents>\n  <document id="d1">\n    about cats (10)\n  </document>\n</all-documents>'
    )


async def test_a_search_that_fails_says_so_without_details(start_rag: Start) -> None:
    found = await box(start_rag(), BROKEN)
    answer = await found.tools[0].ainvoke({"query": "cats"})
    assert answer == "<all-documents>\n  <error>the server answered with status 500</error>\n</all-documents>"


async def test_a_collection_that_cannot_be_read_is_left_out_and_named(start_rag: Start) -> None:
    found = await box(start_rag(), FOREIGN, SECOND)
    assert [tool.name for tool in found.tools] == ["My_docs___notes"]
    assert found.missing == (
        f"The document collection {FOREIGN} cannot be searched: the server answered with status 404",
    )


async def test_without_a_server_a_user_or_leave_there_are_no_tools(start_rag: Start) -> None:
    assert await box(None, FIRST) == Toolbox()
    assert await box("http://127.0.0.1:9") == Toolbox()
    assert (
        "a user with a token" in (await box("http://127.0.0.1:9", FIRST, caller=Caller("a", None))).missing[0]
    )
    assert "could not be reached" in (await box("http://127.0.0.1:9", FIRST)).missing[0]
    assert "could not be reached" in (await box("http://a:port", FIRST, TOKEN_FORWARD_HOSTS="*")).missing[0]
    url = start_rag()
    assert "TOKEN_FORWARD_HOSTS" in (await box(url, FIRST, TOKEN_FORWARD_HOSTS="example.org")).missing[0]


async def test_a_ticket_goes_to_the_server_that_gave_it_and_nowhere_else(start_rag: Start) -> None:
    url = start_rag()
    robot = Caller("robot", None, "ticket-1", url)
    assert [tool.name for tool in (await box(url + "/", FIRST, caller=robot)).tools] == ["My_docs___notes"]
    elsewhere = Caller("robot", None, "ticket-1", "http://127.0.0.1:9")
    (missing,) = (await box(url, FIRST, caller=elsewhere, TOKEN_FORWARD_HOSTS="*")).missing
    assert "a user with a token" in missing
    # With both, others get the token as ever.
    both = Caller("ann", "user-jwt", "ticket-1", "http://127.0.0.1:9")
    assert (await box(url, FIRST, caller=both)).tools


async def test_where_nobody_signs_in_nothing_is_shown(start_rag: Start) -> None:
    url = start_rag("--open")
    assert (await box(url, FIRST, caller=Caller("", None))).tools
