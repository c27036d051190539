"""A small embeddings service in OpenAI's words: counts letters. Prints its address; GET tells the keys it was shown."""

import base64
import struct
from string import ascii_lowercase

from tests.fakes.json_server import JsonHandler, serve

KEYS: list[str | None] = []


class Handler(JsonHandler):
    def do_GET(self) -> None:
        self.answer(KEYS)

    def do_POST(self) -> None:
        asked = self.asked()
        KEYS.append(self.headers["authorization"])
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        found = [
            {
                "object": "embedding",
                "index": number,
                "embedding": self.form(text, asked.get("encoding_format")),
            }
            for number, text in enumerate(texts)
        ]
        self.answer({"object": "list", "data": found, "model": asked["model"], "usage": {}})

    @staticmethod
    def form(text: str, encoding: str | None) -> object:
        numbers = [float(text.lower().count(letter)) for letter in ascii_lowercase]
        return base64.b64encode(struct.pack("<26f", *numbers)).decode() if encoding == "base64" else numbers


if __name__ == "__main__":
    serve(Handler)
