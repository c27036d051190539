"""Sealing, and the key that it uses."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from robyn_server.auth.sealing import KEY_FILE, CannotOpen, Sealer
from robyn_server.errors import StartupError
from robyn_server.settings import Settings


def test_what_is_sealed_can_be_opened_and_looks_different_each_time():
    sealer = Sealer(b"any string will do")
    sealed = sealer.seal(b"secret")
    assert sealer.open(sealed) == b"secret"
    assert b"secret" not in sealed
    assert sealer.seal(b"secret") != sealed
    assert sealer.open(sealer.seal(b"")) == b""


def test_another_key_or_a_changed_byte_opens_nothing():
    sealed = Sealer(b"one").seal(b"secret")
    with pytest.raises(CannotOpen):
        Sealer(b"two").open(sealed)
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:5], b"", b"\x02" + sealed[1:]):
        with pytest.raises(CannotOpen):
            Sealer(b"one").open(damaged)


def test_the_key_file_is_made_once_and_read_by_its_owner_only(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    sealed = Sealer.from_settings(settings).seal(b"secret")
    path = settings.data_dir / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in settings.data_dir.iterdir()] == [KEY_FILE]
    assert Sealer.from_settings(settings).open(sealed) == b"secret"


def test_many_processes_starting_at_once_agree_on_one_key(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        sealers = list(pool.map(lambda _: Sealer.from_settings(settings), range(8)))
    assert {sealer.open(sealers[0].seal(b"x")) for sealer in sealers} == {b"x"}


def test_a_given_key_needs_no_file(tmp_path):
    settings = Settings(data_dir=tmp_path, secret_key="s")
    sealed = Sealer.from_settings(settings).seal(b"secret")
    assert not list(tmp_path.iterdir())
    with pytest.raises(CannotOpen):
        Sealer.from_settings(replace(settings, secret_key="t")).open(sealed)


@pytest.mark.parametrize("content", ["", "abcd", "not hex"])
def test_a_damaged_key_file_stops_the_start(tmp_path, content):
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(StartupError, match="SECRET_KEY"):
        Sealer.from_settings(Settings(data_dir=tmp_path))
