from pathlib import Path

from robyn_server.graphs.check import check

GRAPHS = Path(__file__).parents[2] / "graphs"


def test_a_good_file_is_ok_line_by_line(write):
    config_file = write(
        {"echo": f"{GRAPHS}/plain.py:echo", "made": f"{GRAPHS}/factories.py:raises"},
        dependencies=["not-there"],
        colour="red",
    )
    report = check(config_file.path)
    assert report.ok
    assert report.lines == (
        'warning: Unknown key "colour" in langgraph.json is ignored.',
        "missing: not-there (not installed)",
        f"ok: echo (graph, {GRAPHS}/plain.py:echo)",
        f"ok: made (factory, {GRAPHS}/factories.py:raises)",
    )


def test_every_broken_graph_is_named(write):
    report = check(write({"a": f"{GRAPHS}/broken.py:graph", "b": f"{GRAPHS}/plain.py:nope"}).path)
    assert not report.ok
    assert [line[:16] for line in report.lines] == ["error: Graph 'a'", "error: Graph 'b'"]


def test_an_unreadable_file_is_one_line(tmp_path):
    report = check(tmp_path / "langgraph.json")
    assert not report.ok
    assert len(report.lines) == 1


def test_the_store_is_looked_at_too(write, tmp_path):
    (tmp_path / "embed.py").write_text("def embed(texts): return [[1.0] for text in texts]")
    graphs = {"echo": f"{GRAPHS}/plain.py:echo"}
    good = check(write(graphs, store={"index": {"embed": "./embed.py:embed", "dims": 1}}).path)
    assert good.ok and good.lines[-1] == "ok: store (by meaning, 1 dimensions)"
    bad = check(write(graphs, store={"index": {"embed": "./embed.py:nope", "dims": 1}}).path)
    assert not bad.ok and bad.lines[-1].startswith("error: The store's embed function")
