"""Headers of webhooks, with variables put in at the start."""

from typing import Any

import pytest

from robyn_server.errors import StartupError
from robyn_server.worker.webhook_options import WebhookOptions

ENVIRON = {"LG_WEBHOOK_TOKEN": "tok", "MY_TOKEN": "mine", "DATABASE_PASSWORD": "hidden"}


def options(section: dict[str, Any]) -> WebhookOptions:
    return WebhookOptions.from_config(section, ENVIRON, secret=None, enabled=True)


def test_variables_are_put_into_headers() -> None:
    headers = {"x-hook": "token ${{ env.LG_WEBHOOK_TOKEN }}!", "x-plain": "as it is"}
    assert options({"headers": headers}).headers == {"x-hook": "token tok!", "x-plain": "as it is"}


def test_the_prefix_of_variables_can_be_chosen() -> None:
    section = {"env_prefix": "MY_", "headers": {"x-hook": "${{env.MY_TOKEN}}"}}
    assert options(section).headers == {"x-hook": "mine"}


@pytest.mark.parametrize(
    "value", ["${{ env.DATABASE_PASSWORD }}", "${{ env.LG_WEBHOOK_GONE }}", "${{ secrets.X }}", 7]
)
def test_what_cannot_be_put_in_ends_the_start(value: Any) -> None:
    with pytest.raises(StartupError, match="x-hook"):
        options({"headers": {"x-hook": value}})


def test_secrets_do_not_show() -> None:
    shown = repr(WebhookOptions({"x-hook": "tok"}, None, "key"))
    assert "tok" not in shown
    assert "key" not in shown
