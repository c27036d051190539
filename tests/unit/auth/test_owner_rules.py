"""What the built-in authorization lets through."""

import pytest

from robyn_server.auth.owner_rules import ACTIONS, owner_rule
from robyn_server.errors import Forbidden
from robyn_server.resources.metadata_filter import EVERYTHING

OWN, FOREIGN = {"owner": "ann"}, {"owner": "bob"}
CASES = [(name, action) for name, actions in ACTIONS.items() if name != "store" for action in sorted(actions)]


@pytest.mark.parametrize(("resource", "action"), CASES)
def test_only_the_owner_passes_whatever_the_action(resource, action):
    allowed = owner_rule("ann", resource, action, {})
    assert allowed.allows(OWN)
    assert not allowed.allows(FOREIGN)
    assert not allowed.allows({})


@pytest.mark.parametrize("action", ["read", "search"])
def test_system_assistants_are_readable_but_not_what_users_call_so(action):
    allowed = owner_rule("ann", "assistants", action, {})
    assert allowed.allows({"created_by": "system"})
    assert not allowed.allows({"created_by": "system", "owner": "bob"})
    for write in ("update", "delete"):
        assert not owner_rule("ann", "assistants", write, {}).allows({"created_by": "system"})


@pytest.mark.parametrize(("resource", "action"), [("threads", "create"), ("threads", "create_run"),
                                                  ("assistants", "create"), ("crons", "create")])  # fmt: skip
@pytest.mark.parametrize("metadata", [None, {}, {"owner": "bob", "a": 1}])
def test_what_is_created_gets_its_owner(resource, action, metadata):
    value = {"metadata": metadata}
    owner_rule("ann", resource, action, value)
    assert value["metadata"] == {**(metadata or {}), "owner": "ann"}


def test_metadata_are_stamped_in_place_as_handlers_do_it():
    metadata: dict = {}
    owner_rule("ann", "threads", "create", {"metadata": metadata})
    assert metadata == {"owner": "ann"}


def test_an_update_cannot_give_a_thing_away():
    value = {"metadata": {"owner": "bob"}}
    owner_rule("ann", "threads", "update", value)
    assert value["metadata"] == {"owner": "ann"}
    untouched: dict = {"metadata": None}
    owner_rule("ann", "assistants", "update", untouched)
    assert untouched == {"metadata": None}


@pytest.mark.parametrize(("identity", "resource", "action"), [("", "threads", "read"), ("ann", "threads", "fly"),
                                                              ("ann", "secrets", "read")])  # fmt: skip
def test_what_is_not_known_is_denied(identity, resource, action):
    with pytest.raises(Forbidden):
        owner_rule(identity, resource, action, {})


@pytest.mark.parametrize("action", sorted(ACTIONS["store"]))
def test_the_store_itself_keeps_users_apart(action):
    value = {"namespace": ("bob", "x")}
    assert owner_rule("ann", "store", action, value) is EVERYTHING
    assert value == {"namespace": ("bob", "x")}
    with pytest.raises(Forbidden):
        owner_rule("", "store", action, value)
