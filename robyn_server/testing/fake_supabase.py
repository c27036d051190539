"""A small Supabase Auth (GoTrue): sign-up, password grant, user, public keys. In memory.

    python -m robyn_server.testing.fake_supabase --port 54321

prints `fake supabase listening on http://127.0.0.1:54321` when it is ready; `--port 0` chooses a port.
`POST /rotate` makes a new signing key (the old one leaves the key set), `GET /calls` counts requests by path.
"""

import argparse
import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from robyn_server.resources.types import Json, JsonObject
from robyn_server.testing.fake_supabase_accounts import Accounts, Refusal
from robyn_server.testing.fake_supabase_keys import ALGORITHMS, Signer

PREFIX = "/auth/v1"


class FakeSupabase(ThreadingHTTPServer):
    """The server; `server_address` says where."""

    daemon_threads = True

    def __init__(
        self, host: str, port: int, algorithm: str, secret: str, lifetime: int, api_key: str
    ) -> None:
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_address[1]}"
        self.signer = Signer(algorithm, secret, f"{self.url}{PREFIX}")
        self.accounts = Accounts(self.signer, lifetime)
        self.api_key = api_key
        self.calls: Counter[str] = Counter()
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeSupabase

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _answer(self, method: str) -> None:
        address = urlsplit(self.path)
        body = self._body()
        with self.server.lock:
            self.server.calls[address.path] += 1
            try:
                status, answer = 200, self._act(f"{method} {address.path}", parse_qs(address.query), body)
            except Refusal as refusal:
                status, answer = refusal.status, refusal.body
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _body(self) -> JsonObject:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _act(self, call: str, query: dict[str, list[str]], body: JsonObject) -> Json:
        server = self.server
        if call == "POST /rotate":
            server.signer.rotate()
            return {}
        if call == "GET /calls":
            return dict(server.calls)
        if call == f"GET {PREFIX}/.well-known/jwks.json":
            return {"keys": server.signer.public_keys()}
        if not self.headers.get("apikey"):
            raise Refusal(401, "no_api_key", "No API key found in request")
        if call == f"POST {PREFIX}/signup":
            return server.accounts.session(server.accounts.add(body))
        if call == f"POST {PREFIX}/admin/users":
            if self._bearer() != server.api_key:
                raise Refusal(403, "not_admin", "User not allowed")
            return server.accounts.add(body)
        if call == f"POST {PREFIX}/token":
            return server.accounts.grant(query.get("grant_type", [""])[-1], body)
        if call == f"GET {PREFIX}/user":
            return server.accounts.user_of(self._bearer())
        raise Refusal(404, "not_found", "404: not found")

    def _bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ").strip()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="fake_supabase", description="A small Supabase Auth, in memory.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=54321)
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="ES256", help="how tokens are signed")
    parser.add_argument("--secret", default="super-secret-jwt-token-with-at-least-32-characters-long")
    parser.add_argument("--lifetime", type=int, default=3600, help="seconds until a token expires")
    parser.add_argument("--service-key", default="service-role-key", help="who may create users as admin")
    given = parser.parse_args()
    server = FakeSupabase(
        given.host, given.port, given.algorithm, given.secret, given.lifetime, given.service_key
    )
    sys.stdout.write(f"fake supabase listening on {server.url}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
