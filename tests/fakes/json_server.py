"""What the small services have in common: JSON in, JSON out, an address of their own."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """One request."""

    def asked(self) -> Any:
        """The body."""
        return json.loads(self.rfile.read(int(self.headers["content-length"])))

    def answer(self, body: object, status: int = 200) -> None:
        """Reply with this."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def serve(handler: type[JsonHandler]) -> None:
    """Print the address, then answer for ever."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
