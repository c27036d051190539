from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from tools_agent.configuration import configuration_from
from tools_agent.demo_model import DemoModel
from tools_agent.models import ModelNotConfigured, chat_model

LOCAL = "http://localhost:7374/v1"


def made(configurable: dict[str, Any], environ: dict[str, str], **api_keys: str) -> Any:
    return chat_model(configuration_from(configurable), api_keys, environ)


def told(model: Any) -> tuple[str, str | None, str]:
    """Name, address and key that the OpenAI client uses."""
    assert isinstance(model, ChatOpenAI)
    assert model.openai_api_key is not None
    key = model.openai_api_key.get_secret_value()  # type: ignore[union-attr]
    return model.model_name, model.openai_api_base, key


@pytest.mark.parametrize(
    "configurable", [{}, {"model_name": None}, {"temperature": 0.1, "system_prompt": "Hi"}]
)
def test_without_key_url_and_model_the_demo_answers(configurable: dict[str, Any]) -> None:
    assert isinstance(made(configurable, {}), DemoModel)


@pytest.mark.parametrize(
    ("configurable", "environ", "named"),
    [
        ({}, {"DEMO_MODEL": "0"}, "OPENAI_API_KEY"),
        ({"model_name": "openai:gpt-4o"}, {}, "OPENAI_API_KEY"),
        ({"model_name": "gpt-4o"}, {"ANTHROPIC_API_KEY": "a"}, "OPENAI_API_KEY"),
        ({"model_name": "anthropic:claude-sonnet-4-0"}, {"OPENAI_API_KEY": "o"}, "ANTHROPIC_API_KEY"),
        ({"model_name": "google_genai:gemini-2.5-flash"}, {}, "GOOGLE_API_KEY"),
        ({}, {"MODEL_NAME": "openai:o3"}, "OPENAI_API_KEY"),
        ({"model_name": "custom:"}, {"OPENAI_API_KEY": "o"}, "base_url"),
        ({"model_name": "nobody:x"}, {}, "unknown provider"),
        ({"model_name": "google:x"}, {"GOOGLE_API_KEY": "g"}, "langchain-google-genai.*GOOGLE_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_used_is_an_error_that_says_what_to_set(
    configurable: dict[str, Any], environ: dict[str, str], named: str
) -> None:
    with pytest.raises(ModelNotConfigured, match=named):
        made(configurable, environ)


@pytest.mark.parametrize(
    ("configurable", "environ", "expected"),
    [
        ({}, {"OPENAI_API_KEY": "env"}, ("gpt-4o", None, "env")),
        ({"model_name": "openai:o3"}, {"OPENAI_API_KEY": "env"}, ("o3", None, "env")),
        ({"model_name": "gpt-4.1"}, {"OPENAI_API_KEY": "env"}, ("gpt-4.1", None, "env")),
        ({}, {"OPENAI_API_KEY": "env", "MODEL_NAME": "openai:o3"}, ("o3", None, "env")),
        ({}, {"OPENAI_BASE_URL": LOCAL}, ("gpt-4o", LOCAL, "EMPTY")),
        ({"base_url": LOCAL, "model_name": "openai:gpt-4o"}, {}, ("gpt-4o", LOCAL, "EMPTY")),
        ({"base_url": LOCAL, "model_name": "llama3:8b"}, {}, ("llama3:8b", LOCAL, "EMPTY")),
        ({"base_url": LOCAL, "model_name": "Qwen/Qwen3-8B"}, {}, ("Qwen/Qwen3-8B", LOCAL, "EMPTY")),
        ({"base_url": LOCAL, "model_name": "custom:", "custom_model_name": "m"}, {}, ("m", LOCAL, "EMPTY")),
        ({"base_url": LOCAL, "custom_model_name": "m"}, {"CUSTOM_API_KEY": "c"}, ("m", LOCAL, "c")),
        (
            {"base_url": LOCAL, "custom_model_name": "m", "custom_api_key": "own"},
            {"CUSTOM_API_KEY": "c"},
            ("m", LOCAL, "own"),
        ),
        # The operator's OpenAI key is not for an address that an assistant names.
        ({"base_url": LOCAL, "model_name": "m"}, {"OPENAI_API_KEY": "env"}, ("m", LOCAL, "EMPTY")),
    ],
)
def test_names_addresses_and_keys(
    configurable: dict[str, Any], environ: dict[str, str], expected: tuple[str, str | None, str]
) -> None:
    assert told(made(configurable, environ)) == expected


def test_the_users_own_key_wins_over_the_environment() -> None:
    environ = {"OPENAI_API_KEY": "env"}
    assert told(made({}, environ, OPENAI_API_KEY="mine")) == ("gpt-4o", None, "mine")
    assert told(made({"model_name": "openai:o3"}, {}, OPENAI_API_KEY="mine")) == ("o3", None, "mine")


def test_temperature_and_length_are_passed_on() -> None:
    model = made({"base_url": LOCAL, "model_name": "m", "temperature": 0.1, "max_tokens": 7}, {})
    assert (model.temperature, model.max_tokens) == (0.1, 7)
    assert made({"base_url": LOCAL, "model_name": "m"}, {}).temperature == 0.7
    assert made({"base_url": LOCAL, "model_name": "m", "temperature": None}, {}).temperature is None
