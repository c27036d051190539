"""`/collections`: LangConnect's contract, on a real server; and the agent that searches them."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.auth.people import ANN, BOB, ENVIRON, MACHINE, SERVICE, bearer
from tests.server_process import ServerProcess
from tests.tools_agent.stand_ins import Start, ask, programs

PROJECT = Path(__file__).parents[2] / "auth" / "project" / "langgraph.json"
EMBEDDINGS = ("-m", "tests.fakes.embeddings_server")
FOX = "The quick brown fox jumps over the lazy dog."
SHIP = "A ship in harbour is safe, but that is not what ships are built for."
BREAD = "Knead the dough for ten minutes, then let it rest."


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Ann, on a server without an embeddings service."""
    folder = tmp_path_factory.mktemp("collections")
    serving = ServerProcess(folder, config=PROJECT, environ={**ENVIRON, "SPY_FILE": str(folder / "spy")})
    with serving.running(), httpx.Client(base_url=serving.url, headers=bearer(ANN), timeout=30) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Start]:
    with programs() as begin:
        yield begin


def created(http: httpx.Client, name: str = "animals", **metadata: Any) -> str:
    answer = http.post("/collections", json={"name": name, "metadata": metadata})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["uuid"])


def upload(
    http: httpx.Client, collection: str, *files: tuple[str, bytes], metadatas: Any = None
) -> httpx.Response:
    data = {} if metadatas is None else {"metadatas_json": json.dumps(metadatas)}
    parts = [("files", file) for file in files]
    return http.post(f"/collections/{collection}/documents", files=parts, data=data)


def found(http: httpx.Client, collection: str, query: str, **more: Any) -> list[dict[str, Any]]:
    answer = http.post(f"/collections/{collection}/documents/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def word_file(*paragraphs: str) -> bytes:
    """As little of a .docx as a reader needs."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    runs = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document {space}><w:body>{runs}</w:body></w:document>")
    return packed.getvalue()


def pdf_file(text: str) -> bytes:
    """One page with one line."""
    content = f"BT /F1 12 Tf 40 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(file)
    return file + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


def test_a_collection_from_beginning_to_end(http):
    made = http.post("/collections", json={"name": "notes", "metadata": {"description": "mine"}}).json()
    assert made == {
        "uuid": made["uuid"],
        "name": "notes",
        "metadata": {"description": "mine", "owner_id": ANN},
    }
    path = f"/collections/{made['uuid']}"
    assert http.get(path).json() == made
    assert made in http.get("/collections").json()
    changed = http.patch(path, json={"name": "papers", "metadata": {"a": 1, "owner_id": BOB}}).json()
    assert changed == {"uuid": made["uuid"], "name": "papers", "metadata": {"a": 1, "owner_id": ANN}}
    assert http.patch(path, json={}).status_code == 400
    assert upload(http, made["uuid"], ("a.txt", FOX.encode())).status_code == 200
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404
    assert http.get(path).json() == {"detail": f"Collection '{made['uuid']}' not found"}
    assert http.get(f"{path}/documents").status_code == 404
    assert http.delete(path).status_code == 204


def test_collections_are_listed_by_name(http):
    for name in ("zebra", "ant"):
        created(http, name)
    names = [one["name"] for one in http.get("/collections").json()]
    assert {"ant", "zebra"} <= set(names) and names == sorted(names)


@pytest.mark.parametrize(
    "file",
    [
        ("a.txt", FOX.encode()),
        ("a.MD", f"# Animals\n\n{FOX}".encode()),
        ("a.html", f"<html><head><title>no</title></head><body><p>{FOX}</p><script>no()</script>".encode()),
        ("a.docx", word_file("Animals", FOX)),
        ("a.pdf", pdf_file(FOX)),
    ],
    ids=lambda file: file[0],
)
def test_files_of_many_kinds_are_read(http, file):
    collection = created(http)
    answer = upload(http, collection, file)
    assert answer.status_code == 200, answer.text
    (chunk_id,) = answer.json()["added_chunk_ids"]
    (chunk,) = found(http, collection, "fox")
    assert (chunk["id"], FOX in chunk["page_content"]) == (chunk_id, True)
    assert "no" not in chunk["page_content"].split()


def test_the_nearest_piece_comes_first(http):
    collection = created(http)
    files = [("ship.txt", SHIP.encode()), ("fox.txt", FOX.encode()), ("bread.txt", BREAD.encode())]
    metadatas = [{"about": "ships"}, {"about": "foxes"}, {"about": "bread"}]
    answer = upload(http, collection, *files, metadatas=metadatas)
    assert answer.json()["message"] == "3 document chunk(s) from 3 file(s) added successfully."
    for query, about in (("a lazy dog", "foxes"), ("safe harbour", "ships"), ("kneading dough", "bread")):
        results = found(http, collection, query)
        assert results[0]["metadata"]["about"] == about
        assert [one["score"] for one in results] == sorted(one["score"] for one in results)
    assert len(found(http, collection, "the", limit=2)) == 2
    assert [one["metadata"]["name"] for one in found(http, collection, "the", filter={"about": "bread"})] == [
        "bread.txt"
    ]


def test_metadata_go_with_their_files_whatever_the_order(http):
    collection = created(http)
    contents = [b"same", b"same and more", b"\xff\xfe and same", b"more", b"sam"]
    files = [(f"{name}.txt", content) for name, content in zip("zayxb", contents, strict=True)]
    assert upload(http, collection, *files, metadatas=[{"is": name} for name, _ in files]).status_code == 200
    listed = http.get(f"/collections/{collection}/documents", params={"limit": 100}).json()
    assert [one["metadata"]["name"] for one in listed] == [name for name, _ in files]
    assert all(one["metadata"]["is"] == one["metadata"]["name"] for one in listed)


def test_a_long_file_is_cut_into_pieces_and_goes_as_a_whole(http):
    collection = created(http)
    text = "\n\n".join(f"Paragraph {number}. {SHIP}" for number in range(50))
    ids = upload(http, collection, ("long.txt", text.encode()), ("short.txt", FOX.encode())).json()[
        "added_chunk_ids"
    ]
    assert len(ids) > 4
    (long, short) = http.get(f"/collections/{collection}/documents").json()
    assert (long["id"], long["collection_id"]) == (ids[0], collection)
    assert http.get(f"/collections/{collection}/documents", params={"offset": 1}).json() == [short]
    beyond = http.get(f"/collections/{collection}/documents", params={"offset": 2**63 - 1, "limit": -1})
    assert (beyond.status_code, beyond.json()) == (200, [])
    gone = http.delete(f"/collections/{collection}/documents/{long['metadata']['file_id']}")
    assert gone.json() == {"success": True}
    assert [one["metadata"]["name"] for one in found(http, collection, "ship", limit=50)] == ["short.txt"]
    assert http.delete(f"/collections/{collection}/documents/{uuid.uuid4()}").json() == {"success": True}


def test_what_cannot_be_read_is_told(http):
    collection = created(http)
    some = upload(http, collection, ("a.txt", FOX.encode()), ("b.exe", b"MZ"), ("c.pdf", b"%PDF-1.4 broken"))
    assert some.status_code == 200
    assert "b.exe: files of type .exe cannot be read" in some.json()["warnings"]
    assert "c.pdf: it is no PDF that can be read" in some.json()["warnings"]
    for answer, text in (
        (upload(http, collection, ("b.exe", b"MZ")), "Failed to process any of the files: b.exe"),
        (upload(http, collection, ("d.docx", b"PK no zip")), "it is no Word document"),
        (upload(http, collection, ("a.txt", b"one"), ("a.txt", b"two")), "a name of its own"),
        (upload(http, collection, ("a.txt", b"")), "The file 'a.txt' is empty"),
        (
            upload(http, collection, ("a.txt", b"x"), metadatas=[{}, {}]),
            "metadatas_json has 2 entries for 1 files",
        ),
        (upload(http, collection, ("a.txt", b"x"), metadatas={}), "must be a list of objects"),
        (http.post(f"/collections/{collection}/documents", json={}), "No files were provided"),
    ):
        assert answer.status_code == 400, answer.text
        assert text in answer.json()["detail"]
    search = f"/collections/{collection}/documents/search"
    assert http.post(search, json={"query": " "}).status_code == 400
    assert http.post(search, json={"query": "x", "limit": 0}).status_code == 422
    assert http.post(search, json={"query": "x", "limit": 1.0}).status_code == 200
    assert http.post(search, json={"query": "x", "filter": {"a": {"$in": [1]}}}).status_code == 400


def test_everybody_has_his_own(http):
    hers = created(http, "hers")
    upload(http, hers, ("a.txt", FOX.encode()))
    for method, rest in (("GET", ""), ("GET", "/documents"), ("POST", "/documents/search"), ("PATCH", "")):
        answer = http.request(
            method, f"/collections/{hers}{rest}", json={"query": "fox", "name": "x"}, headers=bearer(BOB)
        )
        assert answer.status_code == 404
    assert http.delete(f"/collections/{hers}", headers=bearer(BOB)).status_code == 204
    assert http.get("/collections", headers=bearer(BOB)).json() == []
    operators = http.get("/collections", headers={**SERVICE, "authorization": ""}).json()
    assert hers in [one["uuid"] for one in operators]
    assert len(found(http, hers, "fox")) == 1


def test_a_service_embeds_and_may_fail(start: Start, server_factory: Callable[..., ServerProcess]) -> None:
    with programs() as begin:
        url = begin(*EMBEDDINGS)
        environ = {
            "EMBEDDINGS_BASE_URL": url, "EMBEDDINGS_KEY": "of-the-operator", "EMBEDDINGS_MODEL": "letters",
            "EMBEDDINGS_DIMENSIONS": "26",
        }  # fmt: skip
        serving = server_factory(environ=environ).start()
        http = serving.http()
        collection = created(http)
        upload(http, collection, ("a.txt", b"aaaa bbbb"), ("b.txt", b"xxxx yyyy"))
        assert found(http, collection, "yx")[0]["metadata"]["name"] == "b.txt"
        assert set(ask("GET", url)) == {"Bearer of-the-operator"}
    gone = http.post(f"/collections/{collection}/documents/search", json={"query": "x"})
    assert (gone.status_code, gone.json()["detail"][:29]) == (503, "The embeddings service failed")
    assert upload(http, collection, ("c.txt", b"c")).status_code == 503
    assert len(http.get(f"/collections/{collection}/documents").json()) == 2
    serving.stop()
    serving.environ.clear()
    serving.start()
    refused = http.post(f"/collections/{collection}/documents/search", json={"query": "x"})
    assert refused.status_code == 409
    assert "embedded with letters/26, but the server now uses lexical" in refused.json()["detail"]
    http.close()


@pytest.mark.parametrize(
    "who", [bearer(ANN), MACHINE, SERVICE, None], ids=["token", "key", "service", "nobody"]
)
def test_the_agent_searches_them(
    who, start: Start, tmp_path: Path, server_factory: Callable[..., ServerProcess]
):
    call = {"name": "My_animals", "arguments": {"query": "Who jumps over the dog?"}}
    rules = {"rules": [{"match": "animals", "replies": [{"tool_calls": [call]}, {"text": "The fox."}]}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    llm = start("-m", "robyn_server.testing.fake_llm", "--port", "0", "--rules", str(tmp_path / "rules.json"))
    environ = {"OUTBOUND_ALLOW": llm.split("/")[2], "SPY_FILE": str(tmp_path / "spy")}
    if who is not None:
        environ |= ENVIRON
    serving = server_factory(config=PROJECT, environ=environ).start()
    with httpx.Client(base_url=serving.url, headers=who, timeout=60) as own:
        collection = created(own, "My animals", description="All about them")
        upload(own, collection, ("fox.txt", FOX.encode()), ("ship.txt", SHIP.encode()))
        configurable = {
            "base_url": llm,
            "custom_model_name": "fake",
            "rag": {"rag_url": serving.url, "collections": [collection]},
        }
        body = {
            "assistant_id": "agent",
            "input": {"messages": [{"role": "user", "content": "What do my animals do?"}]},
            "config": {"configurable": configurable},
        }
        messages = own.post("/runs/wait", json=body).json()["messages"]
    assert [message["type"] for message in messages] == ["human", "ai", "tool", "ai"], messages
    told = messages[2]["content"]
    assert told.startswith("<all-documents>")
    assert told.index(FOX) < told.index(SHIP)
    assert messages[3]["content"] == "The fox."
