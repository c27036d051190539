"""The user object reads as a dict and by attributes."""

import copy
import pickle

import orjson
import pytest

from robyn_server.resources.user import User

ANN = User({"identity": "ann", "role": "admin", "team": {"id": 7}, "token": "jwt"})


def test_fields_are_items_and_attributes():
    assert (ANN["role"], ANN.get("role"), ANN.role, ANN.team.id) == ("admin", "admin", "admin", 7)
    assert (ANN.identity, ANN.display_name, ANN.is_authenticated, ANN.permissions) == ("ann", "ann", True, [])
    with pytest.raises(AttributeError, match="no attribute 'rank'"):
        _ = ANN.rank


def test_it_is_plain_json_and_can_be_copied():
    assert orjson.loads(orjson.dumps(ANN)) == dict(ANN)
    assert copy.deepcopy(ANN) == pickle.loads(pickle.dumps(ANN)) == ANN


def test_printing_it_does_not_show_the_token():
    assert "jwt" not in repr(ANN)
    assert "ann" in repr(ANN)
