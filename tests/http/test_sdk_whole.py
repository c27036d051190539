"""No method of the Python SDK is left out: run together with the two files that call them all."""

import pytest

from tests.http import test_sdk_rest, test_sdk_runs
from tests.http.sdk_calls import Calls, inventory

CALLING = (test_sdk_rest, test_sdk_runs)

LEFT_OUT: dict[str, str] = {}
"""Method -> why no test calls it."""


def test_every_method_of_the_sdk_was_called(request: pytest.FixtureRequest, sdk_calls: Calls) -> None:
    chosen = {
        (item.module, item.originalname)
        for item in request.session.items
        if isinstance(item, pytest.Function)
    }
    needed = {(module, name) for module in CALLING for name in vars(module) if name.startswith("test_")}
    if not needed <= chosen:
        pytest.skip("says something only when the tests of test_sdk_rest and test_sdk_runs run with it")
    assert inventory() - sdk_calls.called == LEFT_OUT.keys()
