"""What the code offers stands in docs/, and nothing else does."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from robyn_server import cli
from robyn_server.settings import VARIABLES, Settings

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"


def table_rows(document: str) -> Iterator[list[str]]:
    """The cells of every table row that begins with a word in backquotes."""
    for line in (REFERENCE / document).read_text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


def test_every_setting_is_documented_once_and_in_order() -> None:
    documented = [row[0].strip("`") for row in table_rows("settings.md")]
    assert documented == list(Settings.__dataclass_fields__)


@pytest.mark.parametrize("row", list(table_rows("settings.md")), ids=lambda row: row[0])
def test_a_settings_variables_and_flag_are_documented(row: list[str]) -> None:
    (variable,) = (v for v in VARIABLES if f"`{v.field}`" == row[0])
    assert re.findall(r"`([A-Z_0-9]+)`", row[1]) == list(variable.names)
    command = "worker" if variable.field == "worker_port" else "serve"
    flags = commands()[command]._option_string_actions.keys()
    spelled = re.findall(r"`(--[a-z-]+)`", row[1])
    assert spelled == ([spelling(variable.field)] if variable.field in cli.OVERRIDES else [])
    assert set(spelled) <= flags


def spelling(field: str) -> str:
    return "--" + field.removesuffix("_path").replace("_", "-")


def test_every_command_is_documented() -> None:
    documented = [row[0].strip("`").split()[0] for row in table_rows("commands.md")]
    assert documented == list(commands())


def test_every_flag_is_documented() -> None:
    text = (REFERENCE / "commands.md").read_text()
    for command in commands().values():
        for option in command._option_string_actions:
            if option not in ("-h", "--help"):
                assert f"`{option}" in text, option


def links() -> Iterator[tuple[Path, str]]:
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in target:
                yield document, target


@pytest.mark.parametrize(("document", "target"), list(links()), ids=str)
def test_links_between_documents_lead_somewhere(document: Path, target: str) -> None:
    assert (document.parent / target).exists()
