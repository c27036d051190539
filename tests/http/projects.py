"""Writes projects whose langgraph.json differs from that of tests/project."""

import json
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent / "project"
GRAPHS = {
    "steps": "graphs", "failing": "graphs", "interrupting": "graphs", "slow": "slow", "reveals": "rules",
}  # fmt: skip


def project(folder: Path, **sections: Any) -> Path:
    """A langgraph.json in a folder, with some graphs of tests/project."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "langgraph.json"
    graphs = {name: f"{PROJECT / file}.py:{name}" for name, file in GRAPHS.items()}
    config.write_text(json.dumps({"dependencies": [str(PROJECT)], "graphs": graphs, **sections}))
    return config
