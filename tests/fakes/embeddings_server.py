"""A small embeddings service in OpenAI's words: counts letters. Prints its address; GET tells the keys it was shown."""

import base64
import json
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import ascii_lowercase

KEYS: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(KEYS)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
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

    def answer(self, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
