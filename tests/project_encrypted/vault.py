"""A project's own encryption: each customer's key is named by the request, and a key service would be asked for it.

Every call is written down in the file that VAULT_CALLS names. A customer is locked out once a file `<customer>.locked`
lies beside it.
"""

import os
import warnings
from pathlib import Path

from langgraph_sdk import Encryption
from langgraph_sdk.encryption import LangGraphBetaWarning
from langgraph_sdk.encryption.types import DecryptResult, EncryptionContext

warnings.simplefilter("ignore", LangGraphBetaWarning)
calls = Path(os.environ["VAULT_CALLS"])

by_blobs = Encryption()
by_json = Encryption()
forgetful = Encryption()


def _customer(word: str, ctx: EncryptionContext) -> str:
    customer = str(ctx.metadata.get("customer", "nobody"))
    with calls.open("a") as written:
        written.write(f"{word} {customer}\n")
    if (calls.parent / f"{customer}.locked").exists():
        raise PermissionError("no key for this customer")
    return customer


def _turned(data: bytes, customer: str) -> bytes:
    mask = (customer * 40).encode()
    return bytes(one ^ other for one, other in zip(data, mask[: len(data)], strict=True))


@by_blobs.encrypt.blob
async def encrypt_blob(ctx: EncryptionContext, blob: bytes) -> bytes:
    return b"v1:" + _turned(blob, _customer("encrypt", ctx))


@by_blobs.decrypt.blob
async def decrypt_blob(ctx: EncryptionContext, blob: bytes) -> DecryptResult[bytes]:
    plain = _turned(blob.partition(b":")[2], _customer("decrypt", ctx))
    return DecryptResult(plain, b"v2:" + _turned(plain, str(ctx.metadata.get("customer", "nobody"))))


@by_blobs.context
async def context(user: object, ctx: EncryptionContext) -> dict[str, object]:
    return {"customer": "walk-in", **ctx.metadata}


@by_json.encrypt.json
async def encrypt_json(ctx: EncryptionContext, data: dict[str, str]) -> dict[str, str]:
    return {key: "enc:" + value[::-1] for key, value in data.items()}


@by_json.decrypt.json
async def decrypt_json(ctx: EncryptionContext, data: dict[str, str]) -> dict[str, str]:
    return {key: value.removeprefix("enc:")[::-1] for key, value in data.items()}


@forgetful.encrypt.blob
async def only_encrypt(ctx: EncryptionContext, blob: bytes) -> bytes:
    return blob[::-1]
