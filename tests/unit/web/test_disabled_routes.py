"""Which routes the section `http` takes away."""

from typing import Any

import pytest

from robyn_server.errors import StartupError
from robyn_server.web.http_section import HttpSection
from robyn_server.web.routing import Refusal, Reply, Request, Route, Surface

PATHS = {
    "assistants": ("/assistants", "/assistants/{assistant_id}/graph"),
    "threads": ("/threads", "/threads/{thread_id}/state", "/threads/{thread_id}/stream"),
    "runs": ("/runs", "/runs/crons/{cron_id}", "/threads/{thread_id}/runs/{run_id}/join"),
    "event_streaming": ("/threads/{thread_id}/commands", "/threads/{thread_id}/stream/events"),
    "store": ("/store/items",),
    "mcp": ("/mcp",),
    "a2a": ("/a2a/{assistant_id}", "/.well-known/agent-card.json"),
    "ui": ("/ui/{graph_id}",),
}


async def answered(_: Request) -> Reply:
    return Reply.json({"ok": True, "services": {}})


def surface(name: str, paths: tuple[str, ...]) -> Surface:
    return Surface(name, tuple(Route("GET", path, answered) for path in paths))


ALL = surface("langgraph", tuple(path for paths in PATHS.values() for path in (*paths, "/runsome")))


def gone(**section: Any) -> set[str]:
    served = HttpSection.read(section).served(ALL)
    return {route.path for route in ALL.routes} - {route.path for route in served.routes}


@pytest.mark.parametrize("group", [name for name in PATHS if name != "runs"])
def test_a_group_goes_and_nothing_else(group: str) -> None:
    assert gone(**{f"disable_{group}": True}) == set(PATHS[group])


def test_event_streaming_goes_with_runs() -> None:
    assert gone(disable_runs=True) == {*PATHS["runs"], *PATHS["event_streaming"]}


def test_what_is_refused_unread_goes_too() -> None:
    path = PATHS["event_streaming"][1]
    refusing = Surface("langgraph", (), {}, (Refusal("GET", path, Reply.empty(426)),))
    assert HttpSection().served(refusing).refusals
    assert not HttpSection.read({"disable_event_streaming": True}).served(refusing).refusals


def test_only_protocols_leave_the_document() -> None:
    section = HttpSection.read({f"disable_{name}": True for name in PATHS})
    hidden = {route.path for route in ALL.routes} - {route.path for route in section.documented(ALL).routes}
    assert hidden == {*PATHS["mcp"], *PATHS["a2a"]}


async def test_without_meta_only_a_bare_ok_is_left() -> None:
    system = surface("system", ("/", "/ok", "/info", "/metrics"))
    (ok,) = HttpSection.read({"disable_meta": True}).served(system).routes
    assert ok.path == "/ok"
    answer = await ok.handler(Request("GET", "/ok", {}, {}, {}, b"", None))  # type: ignore[arg-type]
    assert isinstance(answer, Reply)
    assert answer.body == b'{"ok":true}'


@pytest.mark.parametrize("section", [{"cors": []}, {"logging_headers": "x-*"}, {"middleware_order": "last"}])
def test_a_section_that_cannot_be_read_ends_the_start(section: dict[str, Any]) -> None:
    with pytest.raises(StartupError):
        HttpSection.read(section)


def test_the_environments_cors_takes_the_place_of_the_sections() -> None:
    section = HttpSection.read({"cors": {"allow_origins": ["https://a"]}}, {"allow_origins": ["https://b"]})
    assert section.cors is not None
    assert section.cors.allow_origins == ("https://b",)
