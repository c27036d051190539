"""Reads what the graphs of tests/project/slow.py have written down."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """A node of a run began or ended."""

    at: float
    word: str
    thread_id: str
    run_id: str
    node: str


def notes(journal: Path) -> list[Note]:
    """All of them; a line that a crash cut off is left out."""
    if not journal.exists():
        return []
    lines = [line.split(" ") for line in journal.read_text().splitlines()]
    return [Note(float(line[0]), *line[1:]) for line in lines if len(line) == 5]


def repeated(written: list[Note], run_id: str) -> set[str]:
    """Nodes of a run that began more than once."""
    began = Counter(note.node for note in written if note.run_id == run_id and note.word == "begin")
    return {node for node, times in began.items() if times > 1}


def finished_before(written: list[Note], run_id: str, moment: float) -> set[str]:
    """Nodes of a run that had ended by then."""
    return {
        note.node for note in written if note.run_id == run_id and note.word == "end" and note.at < moment
    }


def order(written: list[Note], thread_id: str) -> list[str]:
    """The runs of a thread in the order in which they first began."""
    began = [note.run_id for note in written if note.thread_id == thread_id and note.word == "begin"]
    return list(dict.fromkeys(began))
