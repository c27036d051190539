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


def test_values_of_a_wrong_kind_are_errors_and_what_has_no_effect_is_said(write):
    graphs = {"echo": f"{GRAPHS}/plain.py:echo"}
    http = {"cors": {"max_age": "long", "allow_origns": []}, "disable_mcp": "s3cret"}
    report = check(write(graphs, http=http, python_version="3.12", auth={"cache": {}}).path)
    assert not report.ok
    assert report.lines[:5] == (
        'error: "http.cors.max_age" in langgraph.json must be a whole number from 0: correct it.',
        'error: "http.disable_mcp" in langgraph.json must be true or false: correct it.',
        'warning: Unknown key "http.cors.allow_origns" in langgraph.json is ignored.'
        ' Did you mean "allow_origins"?',
        'ignored: "python_version": it is for building images',
        'ignored: "auth.cache": it is for projects in JavaScript',
    )


def test_whatever_else_a_file_names_is_loaded(write, tmp_path):
    (tmp_path / "parts.py").write_text("auth = app = encryption = object()")
    named = {
        "auth": {"path": "./parts.py:auth"},
        "http": {"app": "./parts.py:app"},
        "encryption": {"path": "./parts.py:nope"},
    }
    report = check(write({"echo": f"{GRAPHS}/plain.py:echo"}, **named).path)
    assert report.lines[-3:-1] == ("ok: auth (./parts.py:auth)", "ok: http (./parts.py:app)")
    assert report.lines[-1].startswith('error: "encryption.path": ./parts.py has nothing named')


def test_persistence_of_ones_own_is_looked_at_too(write, tmp_path):
    (tmp_path / "own.py").write_text("def saver(): ...")
    graphs = {"echo": f"{GRAPHS}/plain.py:echo"}
    good = check(write(graphs, checkpointer={"path": "./own.py:saver", "backend": "custom"}).path)
    assert good.ok and good.lines[-1] == "ok: checkpointer (./own.py:saver)"
    bad = check(write(graphs, store={"path": "./own.py:store"}, checkpointer={"backend": "mongo"}).path)
    assert not bad.ok
    assert [line for line in bad.lines if line.startswith("error")] == [
        "error: \"checkpointer.backend\" in langgraph.json is 'mongo', which this server does not have: name a saver"
        ' for it with "backend": "custom" and "path", or remove it.',
        "error: \"store.path\": ./own.py has nothing named 'store'; correct what stands after the colon in"
        " langgraph.json.",
    ]
