"""Every event log there is, under one name."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from robyn_server.events.log import InProcessEventLog
from robyn_server.storage.cipher import Cipher
from robyn_server.storage.event_spill import open_spill


@pytest.fixture(params=["in_process"])
async def event_log(
    request: pytest.FixtureRequest, tmp_path: Path, cipher: Cipher
) -> AsyncIterator[InProcessEventLog]:
    log = InProcessEventLog(open_spill(tmp_path, cipher), ring_bytes=200_000, ring_bytes_per_thread=50_000)
    yield log
    await log.close()
