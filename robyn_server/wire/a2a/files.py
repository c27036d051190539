"""File parts and LangChain's content blocks, one from the other. Raises `RpcError`."""

import base64
import binascii

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import CONTENT_TYPE_NOT_SUPPORTED, INVALID_CONTENT
from robyn_server.wire.jsonrpc import RpcError

MEDIA = ("image", "audio", "video")


def content_block(file: Json) -> JsonObject:
    """`{"bytes" or "uri", "mimeType"?, "name"?}` as a content block. A uri is passed on, never fetched here."""
    if not isinstance(file, dict):
        raise RpcError(
            CONTENT_TYPE_NOT_SUPPORTED, "FilePart must contain a 'file' object with 'bytes' or 'uri'."
        )
    given = [name for name in ("bytes", "uri") if file.get(name) is not None]
    if len(given) != 1:
        only = "only one of" if given else "either"
        names = "'bytes' or 'uri'"
        raise RpcError(CONTENT_TYPE_NOT_SUPPORTED, f"FilePart 'file' must contain {only} {names}.")
    media_type = file.get("mimeType")
    if media_type is not None and not isinstance(media_type, str):
        raise _bad("'mime_type' must be a string.")
    block: JsonObject = {
        "type": next((kind for kind in MEDIA if (media_type or "").startswith(f"{kind}/")), "file")
    }
    if given == ["uri"]:
        if not isinstance(file["uri"], str) or not file["uri"]:
            raise _bad("'url' must be a non-empty string.")
        block["url"] = file["uri"]
    else:
        _check_base64(file["bytes"])
        block["base64"] = file["bytes"]
    if media_type:
        block["mime_type"] = media_type
    if file.get("name"):
        block["extras"] = {"filename": file["name"]}
    return block


def file_part(block: JsonObject) -> JsonObject | None:
    """The file part of a content block, None for a block that holds no file as LangChain's standard has it."""
    if block.get("type") not in (*MEDIA, "file"):
        return None
    file: JsonObject = {}
    if isinstance(block.get("base64"), str):
        file["bytes"] = _tidy(block["base64"])
    elif isinstance(block.get("url"), str):
        file["uri"] = block["url"]
    else:
        return None
    if block.get("mime_type"):
        file["mimeType"] = block["mime_type"]
    name = (block.get("extras") or {}).get("filename")
    if name:
        file["name"] = name
    return {"kind": "file", "file": file}


def _check_base64(text: Json) -> None:
    if not isinstance(text, str):
        raise _bad("'base64' must be base64-encoded text or bytes.")
    try:
        base64.b64decode(_tidy(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad("'base64' must contain valid base64 data.") from error


def _tidy(text: str) -> str:
    """Without white space, padded."""
    whole = "".join(text.split())
    return whole + "=" * (-len(whole) % 4)


def _bad(what: str) -> RpcError:
    return RpcError(INVALID_CONTENT, f"Media content block {what}")
