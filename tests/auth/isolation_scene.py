"""What Ann has on a server, and requests about it that anybody may send."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from tests.auth.people import ANN, bearer
from tests.waiting import until

MARK = "anns-mark"
"""Stands in everything of Ann's: whoever reads it has seen something of hers."""

HELLO = {"messages": [{"role": "user", "content": MARK}]}


class Things:
    """Ann's things, each made when first asked for."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._headers = bearer(ANN)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As Ann."""
        return self._http.request(method, path, headers=self._headers, **more)

    def _made(self, path: str, body: Any) -> Any:
        answer = self.ask("POST", path, json=body)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()

    @cached_property
    def owner(self) -> str:
        return ANN

    @cached_property
    def assistant(self) -> str:
        body = {"graph_id": "echo", "name": MARK, "metadata": {"mark": MARK}}
        return str(self._made("/assistants", body)["assistant_id"])

    @cached_property
    def _thread_with_run(self) -> tuple[str, str]:
        thread = self._made("/threads", {"metadata": {"mark": MARK}})["thread_id"]
        run = {
            "assistant_id": self.assistant,
            "input": HELLO,
            "metadata": {"mark": MARK},
            "stream_resumable": True,
        }
        answer = self.ask("POST", f"/threads/{thread}/runs/wait", json=run)
        assert answer.is_success, answer.text
        (found,) = self.ask("GET", f"/threads/{thread}/runs").json()
        return thread, found["run_id"]

    @property
    def thread(self) -> str:
        """With one finished run."""
        return self._thread_with_run[0]

    @property
    def run(self) -> str:
        return self._thread_with_run[1]

    @cached_property
    def checkpoint(self) -> str:
        return str(self.ask("GET", f"/threads/{self.thread}/state").json()["checkpoint"]["checkpoint_id"])

    @cached_property
    def _asking_thread(self) -> tuple[str, str]:
        thread = self._made("/threads", {"metadata": {"mark": MARK}})["thread_id"]
        run = {"assistant_id": "interrupting", "input": {"log": [MARK]}}
        assert self.ask("POST", f"/threads/{thread}/runs/wait", json=run).is_success
        (interrupt,) = self.ask("GET", f"/threads/{thread}/state").json()["interrupts"]
        return thread, interrupt["id"]

    @property
    def asking_thread(self) -> str:
        """Waits for an answer to `interrupt`."""
        return self._asking_thread[0]

    @property
    def interrupt(self) -> str:
        return self._asking_thread[1]

    @cached_property
    def _busy(self) -> tuple[str, str]:
        thread = self._made("/threads", {"metadata": {"mark": MARK}})["thread_id"]
        body = {"assistant_id": "slow", "input": {"log": [MARK], "pause": 600.0}}
        run = self._made(f"/threads/{thread}/runs", body)["run_id"]
        until(
            lambda: self.ask("GET", f"/threads/{thread}/runs/{run}").json()["status"] == "running",
            "the slow run does not start",
        )
        return thread, run

    @property
    def busy_thread(self) -> str:
        """Its run goes on for ten minutes."""
        return self._busy[0]

    @property
    def busy_run(self) -> str:
        return self._busy[1]

    @cached_property
    def cron(self) -> str:
        body = {"assistant_id": self.assistant, "schedule": "0 0 1 1 *", "metadata": {"mark": MARK}}
        return str(self._made("/runs/crons", body)["cron_id"])

    @cached_property
    def item(self) -> str:
        body = {"namespace": [ANN, "notes"], "key": MARK, "value": {"text": MARK}}
        assert self.ask("PUT", "/store/items", json=body).is_success
        return MARK

    @cached_property
    def _collection_with_file(self) -> tuple[str, str]:
        collection = self._made("/collections", {"name": MARK})["uuid"]
        sent = self.ask(
            "POST", f"/collections/{collection}/documents", files={"files": ("a.txt", MARK.encode())}
        )
        assert sent.is_success, sent.text
        (file,) = self.ask("GET", f"/collections/{collection}/documents").json()
        return collection, file["metadata"]["file_id"]

    @property
    def collection(self) -> str:
        """With one file."""
        return self._collection_with_file[0]

    @property
    def file(self) -> str:
        return self._collection_with_file[1]

    def snapshot(self) -> list[Any]:
        """All that can be read of them."""
        thread = f"/threads/{self.thread}"
        paths = [
            f"/assistants/{self.assistant}",
            thread,
            f"{thread}/state",
            f"{thread}/history",
            f"{thread}/runs",
            f"/threads/{self.asking_thread}/runs",
            f"/threads/{self.busy_thread}/runs",
            f"/runs/crons/{self.cron}",
            f"/store/items?namespace={ANN}.notes&key={self.item}",
            f"/collections/{self.collection}",
            f"/collections/{self.collection}/documents",
        ]
        answers = [self.ask("GET", path) for path in paths]
        assert all(answer.status_code == 200 for answer in answers), [a.status_code for a in answers]
        return [answer.json() for answer in answers]

    def give_up(self) -> None:
        """Let nothing go on."""
        if "_busy" in self.__dict__:
            self.ask("POST", f"/threads/{self.busy_thread}/runs/{self.busy_run}/cancel")


NAMED = (
    "thread", "run", "assistant", "cron", "checkpoint", "owner", "busy_thread", "busy_run", "asking_thread",
    "collection", "file",
)  # fmt: skip


class Nothing:
    """Names of things that do not exist: what a stranger hears of Ann's must be what everybody hears of these."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def __getattr__(self, name: str) -> str:
        if name == "item":
            return MARK
        return self._ids.setdefault(name, str(uuid.uuid4()))


@dataclass(frozen=True)
class Ask:
    """One request, but for who sends it."""

    path: str
    json: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Any = None


@dataclass(frozen=True)
class Row:
    """How one route answers whom. `ask` takes `Things` or `Nothing`.

    `seen`: whether an answer shows something of Ann's, by default her mark. `endless`: a stream without an end.
    `like_nothing`: a stranger hears what he would hear of something that does not exist (not so where that is made, or
    where nothing is named). `hers_shows`: Ann's own
    answer is something to be seen.
    """

    method: str
    route: str
    ask: Callable[[Any], Ask]
    stranger: int
    owner: int
    service: int
    seen: Callable[[str], bool] = lambda text: MARK in text
    endless: bool = False
    like_nothing: bool = True
    hers_shows: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def without_ids(text: str, things: object) -> str:
    """An answer with the names of what was asked for taken out."""
    for name in NAMED:
        text = text.replace(str(getattr(things, name)), name)
    return text
