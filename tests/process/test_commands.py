"""The commands as a person types them: real processes, their sentences and exit codes."""

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


def test_migrate_then_backup(project: Path) -> None:
    nothing = refusal(run("backup", "copies", folder=project))
    assert nothing == "There is no database in .data: name the server's folder with --data-dir."
    assert run("migrate", folder=project).returncode == 0
    copied = run("backup", "copies", folder=project)
    assert copied.returncode == 0, copied
    assert (project / "copies" / "app.db").stat().st_size > 0
