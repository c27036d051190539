"""Cuts a text into pieces that overlap, at the best place near the limit: a paragraph, a line, a sentence, a word."""

SIZE = 1000
"""Characters of a piece, at most."""

OVERLAP = 200
"""Characters of the piece before that one begins with again, so that no sentence is lost between two."""

CUTS = ("\n\n", "\n", ". ", " ")


def chunks(text: str, size: int = SIZE, overlap: int = OVERLAP) -> list[str]:
    """The pieces in order, none of them empty; a short text is one piece."""
    found: list[str] = []
    start = 0
    while start < len(text):
        end = _end(text, start, size, overlap)
        piece = text[start:end].strip()
        if piece:
            found.append(piece)
        if end >= len(text):
            break
        start = _start(text, end, overlap)
    return found


def _end(text: str, start: int, size: int, overlap: int) -> int:
    limit = start + size
    if limit >= len(text):
        return len(text)
    # Not so early that the overlap would make the next piece start where this one did.
    earliest = start + max(size // 2, overlap + 1)
    for cut in CUTS:
        place = text.rfind(cut, earliest, limit)
        if place >= 0:
            return place + len(cut)
    return limit


def _start(text: str, end: int, overlap: int) -> int:
    """Where the next piece starts: at a word, `overlap` characters before the end of the last one."""
    word = text.find(" ", end - overlap, end)
    return end - overlap if word < 0 else word + 1
