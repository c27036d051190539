"""A small LangConnect: three collections, two of them with names that look alike as tools. Prints its address."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FIRST, SECOND, BROKEN = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3))
NOBODY = [(None, "")]
SIGNED_IN = [("Bearer user-jwt", ""), (None, "ticket=ticket-1")]
COLLECTIONS = {
    FIRST: {"uuid": FIRST, "name": "My docs & notes", "metadata": {"description": "All of mine"}},
    SECOND: {"uuid": SECOND, "name": "My docs + notes", "metadata": {}},
    BROKEN: {"uuid": BROKEN, "name": "broken", "metadata": {}},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = COLLECTIONS.get(urlsplit(self.path).path.rpartition("/")[2])
        self.answer(200, found) if found and self.known() else self.answer(404, {"detail": "not found"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if BROKEN in self.path or not self.known():
            self.answer(500, {"detail": "at 10.0.0.7"})
        else:
            text = f"about {asked['query']} ({asked['limit']})"
            self.answer(200, [{"id": "d1", "page_content": text, "metadata": {}, "score": 0.1}])

    def known(self) -> bool:
        shown = self.headers["authorization"], urlsplit(self.path).query
        return shown in (NOBODY if "--open" in sys.argv else SIGNED_IN)

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
