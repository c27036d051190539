"""The files of a multipart body, in order.

Robyn keeps them by name, without their order, drops all but the last of one name, and hands over a body in which the
contents of all parts stand one after the other. The order is found again by laying the parts along that body.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from robyn_server.errors import InvalidRequest
from robyn_server.web.routing import Request

MOST_PARTS = 200
MOST_STEPS = 20_000
"""Files made to be confused with one another could keep us busy for ever."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file."""

    name: str
    content: bytes


def uploads(request: Request) -> list[Upload]:
    """The files of a request, in the order in which they were sent. Raises `InvalidRequest` when that cannot be said:
    two files of one name, an empty one."""
    files, form = request.files, request.form
    if len(files) + len(form) > MOST_PARTS:
        raise InvalidRequest(f"Too many files in one request (limit: {MOST_PARTS})")
    for name, content in files.items():
        if not content:
            raise InvalidRequest(f"The file '{name}' is empty")
    order = _laid(request.body, files, [value.encode() for value in form.values()])
    if order is None:
        raise InvalidRequest("Each file of one request needs a name of its own")
    return [Upload(name, files[name]) for name in order]


def _laid(body: bytes, files: Mapping[str, bytes], fields: list[bytes]) -> list[str] | None:
    """The names of the files in an order in which they and the fields make up the whole body, None: there is none."""
    parts: list[tuple[str | None, bytes]] = [*files.items(), *((None, value) for value in fields if value)]
    if sum(len(content) for _, content in parts) != len(body):
        return None
    # Depth first, longest parts first: one that is the beginning of another is tried after it.
    parts.sort(key=lambda part: len(part[1]), reverse=True)
    chosen: list[int] = []
    tried = [0]
    place = 0
    for _ in range(MOST_STEPS):
        if len(chosen) == len(parts):
            return [name for name, _ in (parts[number] for number in chosen) if name is not None]
        following = next(
            (
                number
                for number in range(tried[-1], len(parts))
                if number not in chosen and body.startswith(parts[number][1], place)
            ),
            None,
        )
        if following is not None:
            tried[-1] = following + 1
            chosen.append(following)
            tried.append(0)
            place += len(parts[following][1])
        elif chosen:
            place -= len(parts[chosen.pop()][1])
            tried.pop()
        else:
            break
    return None
