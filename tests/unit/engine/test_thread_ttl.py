from datetime import timedelta

import pytest

from robyn_server.engine.thread_ttl import ThreadTtlRules, ttl_rules
from robyn_server.errors import StartupError
from robyn_server.resources.thread import ThreadTtl
from robyn_server.settings import Settings


def of_file(**ttl):
    return ttl_rules(Settings(), {"checkpointer": {"ttl": ttl}})


def test_threads_live_for_ever_unless_said_otherwise():
    assert ttl_rules(Settings(), {}) == ThreadTtlRules()
    assert ttl_rules(Settings(), {"checkpointer": None}).default is None


def test_the_environment_wins_over_the_file():
    file = {"checkpointer": {"ttl": {"default_ttl": 10, "strategy": "keep_latest"}}}
    assert ttl_rules(Settings(), file).default == ThreadTtl(timedelta(minutes=10), "keep_latest")
    rules = ttl_rules(Settings(thread_ttl={"default_ttl": 0.5}), file)
    assert rules.default == ThreadTtl(timedelta(seconds=30), "delete")


def test_sweeps():
    rules = of_file(sweep_interval_minutes=0.1, sweep_limit=7)
    assert (rules.default, rules.sweep_every, rules.sweep_limit) == (None, timedelta(seconds=6), 7)
    assert of_file(sweep_interval_minutes=60).sweep_every == timedelta(minutes=1)


@pytest.mark.parametrize("ttl", [5, {"strategy": "archive"}, {"default_ttl": "soon"}, {"sweep_limit": 0}])
def test_what_cannot_be_used(ttl):
    with pytest.raises(StartupError, match="checkpointer.ttl"):
        ttl_rules(Settings(), {"checkpointer": {"ttl": ttl}})
    if isinstance(ttl, dict):
        with pytest.raises(StartupError, match="LANGGRAPH_THREAD_TTL"):
            ttl_rules(Settings(thread_ttl=ttl), {})
