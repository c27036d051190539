"""Requests as our OpenAPI document allows them, and spoiled ones, sent to a server that must outlive them all."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.core import NotSet

Kind: TypeAlias = Literal["allowed", "spoiled"]
KINDS: tuple[Kind, ...] = ("allowed", "spoiled")

PATIENCE = 10.0
"""Seconds for an answer, whole."""

ENDLESS = ("GET /threads/{thread_id}/stream", "POST /threads/{thread_id}/stream/events")
"""Answers that stay open until the client leaves."""

OWN_FAULTS = ("/custom/crash", "/custom/value", "/custom/ticks")
"""Routes of tests/http/webapp.py that are there to fail, or to go on for ever."""

QUICK_GRAPHS = ("echo", "steps", "interrupting", "failing", "subgraphs", "talk")

HEADERS = {"accept": "application/json, text/event-stream, */*"}
"""MCP and A2A want to see both by name."""

REFUSING = 503
"""The one answer of the five hundreds that may be: too much at once."""

ENDINGS = (".txt", ".pdf", ".docx", ".html", ".md", "")

MOSTLY = (True, True, True, False)

EXTREMES = (0, -1, 1.0, 1.5, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 1e30, -1e30)
"""Numbers at the edges of what databases, clocks and JSON readers hold."""

JUNK: tuple[Any, ...] = (
    *(None, True, "", "x", "\x00", "é\ud7ff😀", "../..", "%", "1", [], {}, [[]], [None], {"": None}, [{}]),
    *({"x": {"y": "z"}}, *EXTREMES),
)


@dataclass(frozen=True)
class Scene:
    """What there is on the server for one operation: ids by the name of the field that holds them."""

    ids: dict[str, list[str]]

    @classmethod
    def of(cls, client: httpx.Client) -> "Scene":
        """A new one: an assistant, threads that have ended and that wait, their runs and checkpoints, a cron, a
        collection with a document, an item of the store, a task that waits for an answer."""

        def post(path: str, **body: Any) -> Any:
            answer = client.post(path, json=body)
            answer.raise_for_status()
            return answer.json()

        assistant = post("/assistants", graph_id="steps")["assistant_id"]
        threads = [post("/threads")["thread_id"] for _ in range(3)]
        post(f"/threads/{threads[0]}/runs/wait", assistant_id=assistant, input={"log": []})
        post(f"/threads/{threads[1]}/runs/wait", assistant_id="interrupting", input={"log": []})
        waiting = client.get(f"/threads/{threads[1]}/state").json()["interrupts"]
        runs = [run["run_id"] for thread in threads for run in client.get(f"/threads/{thread}/runs").json()]
        states = [state for thread in threads for state in post(f"/threads/{thread}/history")]
        cron = post(f"/threads/{threads[2]}/runs/crons", assistant_id=assistant, schedule="0 0 1 1 *")
        client.put("/store/items", json={"namespace": ["fuzz"], "key": "k", "value": {}}).raise_for_status()
        collection = post("/collections", name="fuzz")["uuid"]
        documents = f"/collections/{collection}/documents"
        uploaded = client.post(documents, files=[("files", ("a.txt", b"some words"))])
        chunks = uploaded.raise_for_status().json()["added_chunk_ids"]
        return cls(
            {
                "assistant_id": [*[assistant] * 4, *QUICK_GRAPHS],
                "graph_id": [*QUICK_GRAPHS],
                "thread_id": threads,
                "thread_ids": threads,
                "run_id": runs,
                "run_ids": runs,
                "checkpoint_id": [state["checkpoint"]["checkpoint_id"] for state in states],
                "cron_id": [cron["cron_id"]],
                "collection_id": [collection],
                "document_id": chunks,
                "contextId": threads,
                "taskId": runs,
                "interrupt_id": [one["id"] for one in waiting],
                "namespace": [["fuzz"]],
                "key": ["k"],
                "name": [*QUICK_GRAPHS],
                "as_node": ["one", "ask", "__start__", "__input__"],
            }
        )


class Fuzzer:
    """Sends requests and keeps the complaints: a 500, an answer that does not come, a connection that breaks."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.sent = 0
        self.complaints: list[str] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        """(operation, status) -> how often."""
        self._headers = {**HEADERS, **(headers or {})}
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, headers=self._headers)
        schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
        schema.config.output.sanitization.update(enabled=False)
        operations = [found.ok() for found in schema.get_all_operations()]
        self.operations = [one for one in operations if one.path not in OWN_FAULTS]

    def close(self) -> None:
        """Leave the server."""
        self._client.close()

    def run(self, kind: Kind, examples: int, *, repeatable: bool) -> None:
        """So many requests to every operation."""
        scene: Scene | None = None
        for operation in self.operations:
            scene = scene or Scene.of(self._client)
            self._attack(operation, kind, scene, examples, repeatable)
            if operation.method.upper() != "GET":
                # Who knows what is left of it.
                scene = None

    def _attack(self, operation: Any, kind: Kind, scene: Scene, examples: int, repeatable: bool) -> None:
        @settings(
            max_examples=examples,
            derandomize=repeatable,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        @given(case=operation.as_strategy(), data=st.data())
        def one(case: Case, data: st.DataObject) -> None:
            def choose(choices: Any) -> Any:
                return data.draw(st.sampled_from(choices))

            make_familiar(case, scene, choose)
            if kind == "spoiled":
                spoil(case, choose)
            elif choose((True, False)):
                make_extreme(case, choose)
            # After some minutes its strategies put bytes into JSON now and then.
            assume(case.media_type != "application/json" or is_json(case.body))
            self._send(operation.label, case)

        one()

    def _send(self, label: str, case: Case) -> None:
        request = case.as_transport_kwargs(base_url=self.url)
        wanted: dict[str, Any] = {
            key: request[key] for key in ("method", "url", "params", "json") if key in request
        }
        wanted["headers"] = {**request["headers"], **self._headers}
        if case.media_type == "multipart/form-data":
            wanted |= parts(case.body if isinstance(case.body, dict) else {"files": case.body})
        elif "data" in request:
            wanted["content"] = request["data"]
        self.sent += 1
        try:
            with self._client.stream(**wanted) as answer:
                self.answers[label, answer.status_code] += 1
                if answer.status_code >= 500 and answer.status_code != REFUSING:
                    told = f"{answer.status_code} {answer.read().decode()}"
                    self.complaints.append(f"{case.as_curl_command()}\n    {told}")
                elif label not in ENDLESS and not ends(answer.iter_raw()):
                    self.complaints.append(f"{case.as_curl_command()}\n    does not end")
        except httpx.TransportError as error:
            self.complaints.append(f"{case.as_curl_command()}\n    {error!r}")


def parts(body: dict[str, Any]) -> dict[str, Any]:
    """A multipart body in good order, with whatever in it: files of each kind we read, and fields."""
    texts = body.get("files") if isinstance(body.get("files"), list) else [body.get("files")]
    files = [
        ("files", (f"{place}{ENDINGS[len(str(text)) % len(ENDINGS)]}", str(text).encode(errors="replace")))
        for place, text in enumerate(texts or [""])
    ]
    fields = {"metadatas_json": str(body["metadatas_json"])} if "metadatas_json" in body else {}
    return {"files": files, "data": fields}


def ends(pieces: Iterator[bytes]) -> bool:
    """Whether a body ends in time. Heartbeats let us look at the clock."""
    deadline = time.monotonic() + PATIENCE
    return all(time.monotonic() < deadline for _ in pieces)


def make_familiar(case: Case, scene: Scene, choose: Callable[[Any], Any]) -> None:
    """Put things that exist in place of most ids, and nothing into the far future."""
    for holder in (case.path_parameters, case.query, *[*objects(case.body)]):
        for name, value in list((holder or {}).items()):
            known = choose((*scene.ids.get(name, ()), None))
            if known and choose(MOSTLY):
                holder[name] = [known] if name.endswith("_ids") else known
            elif name == "after_seconds" and isinstance(value, int | float):
                holder[name] = 0


def make_extreme(case: Case, choose: Callable[[Any], Any]) -> None:
    """Put numbers that are hard to hold in place of others."""
    for holder in (case.query, *[*objects(case.body)]):
        for name, value in list((holder or {}).items()):
            if isinstance(value, int | float) and not isinstance(value, bool) and name != "after_seconds":
                holder[name] = choose(EXTREMES)


def spoil(case: Case, choose: Callable[[Any], Any]) -> None:
    """Put junk in one or two places of a request, or in place of its body."""
    if case.query:
        case.query[choose(sorted(case.query))] = str(choose(JUNK))
    holders = [*objects(case.body)]
    if isinstance(case.body, dict | list) and choose((True, *(False,) * 9)):
        case.body = choose(JUNK)
    elif holders and any(holders):
        holder = choose([holder for holder in holders if holder])
        holder[choose(sorted(holder))] = choose([junk for junk in JUNK if not isinstance(junk, float | int)])
    elif case.path_parameters:
        case.path_parameters[choose(sorted(case.path_parameters))] = choose(("x", "%00", "é", "-", "0" * 300))


def is_json(body: Any) -> bool:
    """Whether it can be sent as JSON."""
    try:
        json.dumps(body)
    except TypeError:
        return isinstance(body, NotSet)
    return True


def objects(body: Any) -> Iterator[dict[str, Any]]:
    """The objects in a body, at every depth."""
    if isinstance(body, dict):
        yield body
    for below in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from objects(below)
