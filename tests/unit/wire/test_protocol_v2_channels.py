"""What a reader of the thread protocol asks to see."""

from typing import Any

import pytest

from robyn_server.errors import InvalidRequest
from robyn_server.wire.protocol_v2.channels import read_subscription


@pytest.mark.parametrize("body", [None, [], {}, {"channels": []}, {"channels": "values"}])
def test_channels_must_be_given(body: Any) -> None:
    with pytest.raises(InvalidRequest, match="channels is required"):
        read_subscription(body)


@pytest.mark.parametrize("wrong", ["bogus", "debug", 1, "custom:", "messages-tuple", "input.requested"])
def test_unknown_channels_are_named(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"unsupported entries: {wrong}. Allowed"):
        read_subscription({"channels": ["values", wrong]})


def test_what_makes_no_sense_is_ignored() -> None:
    for extra in ({"since": True}, {"since": -1}, {"since": "3"}, {"depth": -1}, {"depth": True}):
        asked = read_subscription({"channels": ["values"], **extra})
        assert (asked.since, asked.depth) == (0, None)
    for namespaces in ("x", [1], [[1]], []):
        assert read_subscription({"channels": ["values"], "namespaces": namespaces}).namespaces is None


@pytest.mark.parametrize(
    ("namespaces", "depth", "namespace", "wanted"),
    [
        (None, None, ["child:1", "leaf:2"], True),
        ([["child"]], None, ["child:1", "leaf:2"], True),
        ([["child"]], None, [], False),
        ([["child"]], None, ["children:1"], False),
        ([["child:1"]], None, ["child:2"], False),
        ([["child"]], 0, ["child:1", "leaf:2"], False),
        ([["child"]], 1, ["child:1", "leaf:2"], True),
        ([[]], 0, [], True),
        ([[]], 0, ["child:1"], False),
        ([["nobody"], []], 0, [], True),
    ],
)
def test_namespaces(namespaces: Any, depth: Any, namespace: list[str], wanted: bool) -> None:
    asked = read_subscription({"channels": ["values"], "namespaces": namespaces, "depth": depth})
    assert asked.wants(("values",), namespace) is wanted
    assert not asked.wants(("updates",), namespace)


def test_a_named_channel_is_part_of_custom() -> None:
    both = ("custom", "custom:progress")
    assert read_subscription({"channels": ["custom:progress"]}).wants(both, ())
    assert read_subscription({"channels": ["custom"]}).wants(both, ())
    assert not read_subscription({"channels": ["custom:other"]}).wants(both, ())
