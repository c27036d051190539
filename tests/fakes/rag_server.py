"""A small LangConnect: three collections, two of them with names that look alike as tools. Prints its address."""

import sys
from urllib.parse import urlsplit

from tests.fakes.json_server import JsonHandler, serve

FIRST, SECOND, BROKEN = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3))
NOBODY = [(None, "")]
SIGNED_IN = [("Bearer user-jwt", ""), (None, "ticket=ticket-1")]
COLLECTIONS = {
    FIRST: {"uuid": FIRST, "name": "My docs & notes", "metadata": {"description": "All of mine"}},
    SECOND: {"uuid": SECOND, "name": "My docs + notes", "metadata": {}},
    BROKEN: {"uuid": BROKEN, "name": "broken", "metadata": {}},
}


class Handler(JsonHandler):
    def do_GET(self) -> None:
        found = COLLECTIONS.get(urlsplit(self.path).path.rpartition("/")[2])
        self.answer(found) if found and self.known() else self.answer({"detail": "not found"}, 404)

    def do_POST(self) -> None:
        asked = self.asked()
        if BROKEN in self.path or not self.known():
            self.answer({"detail": "at 10.0.0.7"}, 500)
        else:
            text = f"about {asked['query']} ({asked['limit']})"
            self.answer([{"id": "d1", "page_content": text, "metadata": {}, "score": 0.1}])

    def known(self) -> bool:
        shown = self.headers["authorization"], urlsplit(self.path).query
        return shown in (NOBODY if "--open" in sys.argv else SIGNED_IN)


if __name__ == "__main__":
    serve(Handler)
