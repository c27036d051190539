"""The Supabase stand-in as a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.auth.isolation_scene import Things
from tests.auth.people import ENVIRON
from tests.server_process import ServerProcess


@dataclass
class Supabase:
    """A running stand-in, spoken to over HTTP."""

    url: str
    process: subprocess.Popen[str]

    def post(self, path: str, body: dict | None = None, bearer: str = "") -> httpx.Response:
        headers = {"apikey": "anon"} | ({"authorization": f"Bearer {bearer}"} if bearer else {})
        return httpx.post(f"{self.url}{path}", json=body or {}, headers=headers)

    def token(self, email: str = "ann@example.org", **more: object) -> str:
        """Signs somebody up."""
        answer = self.post("/auth/v1/signup", {"email": email, "password": "secret-1", **more})
        return answer.raise_for_status().json()["access_token"]

    def rotate(self) -> None:
        self.post("/rotate").raise_for_status()

    def public_keys(self) -> list[dict]:
        return httpx.get(f"{self.url}/auth/v1/.well-known/jwks.json").json()["keys"]

    def calls(self, path: str) -> int:
        return httpx.get(f"{self.url}/calls").json().get(path, 0)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start_supabase() -> Iterator[Callable[..., Supabase]]:
    started: list[Supabase] = []

    def start(*arguments: str) -> Supabase:
        command = [sys.executable, "-m", "robyn_server.testing.fake_supabase", "--port", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        started.append(Supabase(line.split()[-1], process))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on tests/project in mode `supabase`, shared by all tests: `people` says who may ask it."""
    serving = ServerProcess(tmp_path_factory.mktemp("guarded"), environ=ENVIRON)
    with serving.running():
        yield serving


@pytest.fixture(scope="module")
def http(guarded_server: ServerProcess) -> Iterator[httpx.Client]:
    """Plain HTTP to the shared server, as nobody yet."""
    with guarded_server.http() as client:
        yield client


@pytest.fixture(scope="module")
def anns(http: httpx.Client) -> Things:
    """What Ann has there."""
    return Things(http)
