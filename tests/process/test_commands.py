"""The commands as a person types them: real processes, their sentences and exit codes."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.waiting import free_port

ROOT = Path(__file__).parent.parent.parent


def run(*words: str, folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """One command in a folder, with nothing but what is given in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "robyn_server", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(result: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence of a command that could not start."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("robyn_server: ")
    return sentence.removeprefix("robyn_server: ")


def test_version_is_instant(tmp_path: Path) -> None:
    started = time.monotonic()
    assert run("--version", folder=tmp_path).stdout == "0.1.0\n"
    assert time.monotonic() - started < 1


def test_serve_without_a_langgraph_json(tmp_path: Path) -> None:
    assert "langgraph.json does not exist" in refusal(run(folder=tmp_path))


def test_serve_with_a_graph_that_fails_to_import(project: Path) -> None:
    (project / "graphs.py").write_text("import no_such_module\n")
    sentence = refusal(run("serve", "--port", str(free_port()), folder=project))
    assert "echo" in sentence
    assert "no_such_module" in sentence


def test_serve_on_a_busy_port(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refusal(run("serve", "--port", str(port), folder=project))
    assert sentence == (
        f"Port {port} is in use: stop what listens there, or choose another port with --port."
    )


def test_serve_for_everybody_needs_a_word(project: Path) -> None:
    assert "--allow-unauthenticated" in refusal(run("serve", "--host", "0.0.0.0", folder=project))


def test_a_setting_that_cannot_be_read(project: Path) -> None:
    assert refusal(run("serve", folder=project, BG_JOB_TIMEOUT_SECS="soon")) == (
        "BG_JOB_TIMEOUT_SECS=soon cannot be used: it must be a number of seconds."
    )


def test_check_names_what_loads_and_what_does_not(project: Path) -> None:
    loaded = run("check", folder=project)
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert "ok: echo" in loaded.stdout
    (project / "langgraph.json").write_text('{"graphs": {"echo": "./graphs.py:nothing"}}')
    refused = run("check", folder=project)
    assert refused.returncode == 1
    assert "nothing" in refused.stdout


def test_check_shows_the_projects_variables_to_its_graphs(project: Path) -> None:
    (project / ".env").write_text("MINE=here\n")
    graphs = project / "graphs.py"
    graphs.write_text("import os\nos.environ['MINE']\n" + graphs.read_text())
    assert run("check", folder=project).returncode == 0


def test_routes_lists_every_route(project: Path) -> None:
    listed = run("routes", folder=project).stdout
    for route in ("/threads/{thread_id}/runs/stream", "/assistants/search", "/ok"):
        assert route in listed


def test_routes_follows_the_section_http(project: Path) -> None:
    config = json.loads((project / "langgraph.json").read_text())
    config["http"] = {"mount_prefix": "/api", "disable_runs": True, "disable_meta": True}
    (project / "langgraph.json").write_text(json.dumps(config))
    paths = [line.split()[1] for line in run("routes", folder=project).stdout.splitlines()]
    assert {"/ok", "/api/ok", "/api/threads", "/api/store/items"} <= set(paths)
    assert not [path for path in paths if "/runs" in path or path.endswith(("/info", "/docs", "/metrics"))]
    assert [path for path in paths if not path.startswith("/api/")] == ["/ok"]
    other = run("routes", folder=project, LANGGRAPH_HTTP='{"disable_store": true}').stdout
    assert "/threads/{thread_id}/runs" in other and "/store" not in other and "/api" not in other


def test_variables_stand_for_sections(project: Path) -> None:
    (project / "langgraph.json").unlink()
    (project / ".env").write_text(f"LANGSERVE_GRAPHS={json.dumps({'mine': './graphs.py:graph'})}\n")
    checked = run("check", folder=project)
    assert (checked.returncode, checked.stdout) == (0, "ok: mine (graph, ./graphs.py:graph)\n")
    other = run("check", folder=project, LANGSERVE_GRAPHS='{"other": "./graphs.py:graph"}')
    assert other.stdout == "ok: other (graph, ./graphs.py:graph)\n"
    unknown = run("check", folder=project, LANGGRAPH_STORE='{"tll": {}}').stdout
    assert 'warning: Unknown key "store.tll" in LANGGRAPH_STORE is ignored.' in unknown


def test_a_variable_that_cannot_be_used_is_named(project: Path) -> None:
    def says(**environ: str) -> str:
        return refusal(run("serve", folder=project, **environ))

    assert says(LANGGRAPH_HTTP="[]") == "LANGGRAPH_HTTP must be a JSON object: correct it."
    assert says(LANGGRAPH_WEBHOOKS='{"headers": 1}') == (
        '"webhooks.headers" in LANGGRAPH_WEBHOOKS must be an object: correct it.'
    )
    assert "LANGGRAPH_AUTH is not valid JSON" in says(LANGGRAPH_AUTH="{")


def test_migrate_then_backup(project: Path) -> None:
    nothing = refusal(run("backup", "copies", folder=project))
    assert nothing == "There is no database in .data: name the server's folder with --data-dir."
    assert run("migrate", folder=project).returncode == 0
    copied = run("backup", "copies", folder=project)
    assert copied.returncode == 0, copied
    assert (project / "copies" / "app.db").stat().st_size > 0
