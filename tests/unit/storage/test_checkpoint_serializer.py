"""The section `checkpointer.serde`."""

import collections
import dataclasses
import json

import pytest

from robyn_server.errors import StartupError
from robyn_server.storage.checkpoints.serializer import SerdeOptions, checkpoint_serializer


@dataclasses.dataclass
class Mine:
    n: int


@dataclasses.dataclass
class Theirs:
    n: int


class Odd:
    """Nothing that msgpack knows."""


def test_only_allowed_types_are_made_again() -> None:
    options = SerdeOptions.from_config({"allowed_msgpack_modules": [[__name__, "Mine"]]}, None)
    serializer = checkpoint_serializer(options)
    assert serializer.loads_typed(serializer.dumps_typed(Mine(1))) == Mine(1)
    assert not isinstance(serializer.loads_typed(serializer.dumps_typed(Theirs(1))), Theirs)


@pytest.mark.parametrize("allowed", [None, False, []])
def test_none_but_what_is_always_safe(allowed: object) -> None:
    serializer = checkpoint_serializer(SerdeOptions.from_config({"allowed_msgpack_modules": allowed}, None))
    assert not isinstance(serializer.loads_typed(serializer.dumps_typed(Mine(1))), Mine)


@pytest.mark.parametrize("section", [{}, {"allowed_msgpack_modules": True}])
def test_by_default_all_are(section: dict[str, object]) -> None:
    serializer = checkpoint_serializer(SerdeOptions.from_config(section, None))
    assert serializer.loads_typed(serializer.dumps_typed(Mine(1))) == Mine(1)


def test_allowed_types_of_old_json() -> None:
    old = (
        "json",
        json.dumps({"lc": 2, "type": "constructor", "id": ["collections", "Counter"], "args": ["aab"]}),
    )
    kind, text = old[0], old[1].encode()
    section = {"allowed_json_modules": [["collections", "Counter"]]}
    allowing = checkpoint_serializer(SerdeOptions.from_config(section, None))
    assert allowing.loads_typed((kind, text)) == collections.Counter("aab")
    plain = checkpoint_serializer()
    assert not isinstance(plain.loads_typed((kind, text)), collections.Counter)


def test_the_environment_wins_over_pickle_fallback() -> None:
    assert SerdeOptions.from_config({}, None).pickle_fallback
    assert not SerdeOptions.from_config({"pickle_fallback": False}, None).pickle_fallback
    assert SerdeOptions.from_config({"pickle_fallback": False}, True).pickle_fallback
    with pytest.raises(TypeError):
        checkpoint_serializer(SerdeOptions(pickle_fallback=False)).dumps_typed(Odd)


@pytest.mark.parametrize("wrong", [["a"], [["alone"]], [[1, 2]], "all"])
def test_what_is_no_list_of_types_is_refused(wrong: object) -> None:
    with pytest.raises(
        StartupError, match=r"allowed_msgpack_modules. in LANGGRAPH_CHECKPOINTER must be true or"
    ):
        SerdeOptions.from_config({"allowed_msgpack_modules": wrong}, None, "LANGGRAPH_CHECKPOINTER")
