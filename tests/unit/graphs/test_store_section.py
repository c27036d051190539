import pytest
from langchain_core.embeddings import Embeddings

from robyn_server.errors import StartupError
from robyn_server.graphs.store_section import store_index, store_ttl

ONE = {"agent": "./agent.py:graph"}
EMBED = """
def embed(texts): return [[float(len(text)), 1.0] for text in texts]
async def later(texts): return embed(texts)
nothing = 5
"""


@pytest.fixture
def index(write, tmp_path):
    """`index(embed=..., dims=...)` -> what `store.index` comes to, beside a file embed.py."""
    (tmp_path / "embed.py").write_text(EMBED)
    return lambda **section: store_index(write(ONE, store={"index": section}))


def test_no_section_is_no_search_by_meaning(write):
    assert store_index(write(ONE)) is None
    assert store_ttl(write(ONE, store={})) is None


async def test_functions_of_a_file(index):
    found = index(embed="./embed.py:embed", dims=2)
    assert isinstance(found["embed"], Embeddings)
    assert (found["dims"], found["fields"]) == (2, ["$"])
    assert found["embed"].embed_query("abc") == [3.0, 1.0]
    later = index(embed="./embed.py:later", dims=2, fields=["text", "a.b"])
    assert later["fields"] == ["text", "a.b"]
    assert await later["embed"].aembed_documents(["abc"]) == [[3.0, 1.0]]


def test_a_model_of_a_provider(index, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    found = index(embed="openai:text-embedding-3-small", dims=1536)
    assert found["embed"].model == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"embed": "./embed.py:embed"}, 'needs "dims"'),
        ({"embed": "./embed.py:embed", "dims": 0}, 'needs "dims"'),
        ({"dims": 2}, '"embed" in "index" of "store" in langgraph.json must be'),
        ({"embed": "./embed.py:missing", "dims": 2}, "has nothing named 'missing'"),
        ({"embed": "./gone.py:embed", "dims": 2}, "does not exist"),
        ({"embed": "./embed.py:nothing", "dims": 2}, "neither a function nor an Embeddings object"),
        ({"embed": "./embed.py:embed", "dims": 2, "fields": "text"}, "must be a list of paths"),
        ({"embed": "nobody:model", "dims": 2}, "nobody:model cannot be used"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(index, section, sentence):
    with pytest.raises(StartupError, match=sentence) as raised:
        index(**section)
    assert "\n" not in str(raised.value)


def test_time_to_live(write):
    found = store_ttl(write(ONE, store={"ttl": {"default_ttl": 60, "sweep_interval_minutes": 5}}))
    assert found == {"refresh_on_read": True, "default_ttl": 60, "sweep_interval_minutes": 5}
    with pytest.raises(StartupError, match='"default_ttl" in "ttl" of "store"'):
        store_ttl(write(ONE, store={"ttl": {"default_ttl": "soon"}}))
