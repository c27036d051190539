"""The text of uploaded documents: plain text, Markdown, HTML, PDF, Word. Pure, and slow for large files."""

import io
import zipfile
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import PurePath
from xml.etree import ElementTree

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LARGEST_XML = 64 << 20
"""Bytes of a Word document once unpacked; more is an attack."""

UNSEEN = frozenset({"script", "style", "head", "template", "noscript"})
LINES = frozenset(
    {
        "p",
        "div",
        "br",
        "li",
        "tr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "section",
        "article",
        "pre",
        "blockquote",
    }
)


class Unreadable(Exception):
    """No text can be had from a file; the text says why."""


def document_text(name: str, content: bytes) -> str:
    """The text of a file, by the ending of its name. Raises `Unreadable`."""
    ending = PurePath(name).suffix.lower()
    read = READERS.get(ending)
    if read is None:
        raise Unreadable(f"files of type {ending or 'unknown'} cannot be read; {', '.join(READERS)} can")
    text = read(content).replace("\x00", "").strip()
    if not text:
        raise Unreadable("there is no text in it")
    return text


def _plain(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")


def _html(content: bytes) -> str:
    seen = _Seen()
    seen.feed(_plain(content))
    seen.close()
    lines = ("".join(seen.pieces)).splitlines()
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


class _Seen(HTMLParser):
    """Collects what a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._hidden += 1
        elif tag in LINES:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._hidden = max(self._hidden - 1, 0)
        elif tag in LINES:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def _pdf(content: bytes) -> str:
    # Heavy, and only for who uploads such files.
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(content))
        return "\n\n".join(page.extract_text() for page in reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # A damaged file breaks the reader in many ways.
        raise Unreadable("it is no PDF that can be read, or it is encrypted") from error


def _word(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo("word/document.xml").file_size > LARGEST_XML:
                raise Unreadable("it is too large once unpacked")
            with archive.open("word/document.xml") as file:
                body = ElementTree.fromstring(file.read(LARGEST_XML))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, RuntimeError, ValueError) as error:
        raise Unreadable("it is no Word document that can be read") from error
    return "\n".join("".join(map(_run, paragraph.iter())) for paragraph in body.iter(f"{WORD}p"))


def _run(element: ElementTree.Element) -> str:
    if element.tag == f"{WORD}t":
        return element.text or ""
    return {f"{WORD}tab": "\t", f"{WORD}br": "\n"}.get(element.tag, "")


READERS: Mapping[str, Callable[[bytes], str]] = {
    ".txt": _plain,
    ".md": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _word,
}
