"""`provider:model` and keys -> a chat model. The only place that makes one."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import httpx
from langchain_core.language_models.chat_models import BaseChatModel

from tools_agent.configuration import GraphConfigPydantic
from tools_agent.demo_model import DemoModel

NO_KEY = "EMPTY"
"""What servers that want no key are told: the OpenAI client insists on sending one."""


class ModelNotConfigured(ValueError):
    """The model cannot be used as things stand; the text says what to set, and is meant for the client."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider's models are made."""

    key: str
    default_model: str
    module: str
    package: str
    class_name: str
    max_tokens: str = "max_tokens"


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("OPENAI_API_KEY", "gpt-4o", "langchain_openai", "langchain-openai", "ChatOpenAI"),
    "anthropic": Provider(
        "ANTHROPIC_API_KEY",
        "claude-sonnet-4-6",
        "langchain_anthropic",
        "langchain-anthropic",
        "ChatAnthropic",
    ),
    "google": Provider(
        "GOOGLE_API_KEY",
        "gemini-2.5-flash",
        "langchain_google_genai",
        "langchain-google-genai",
        "ChatGoogleGenerativeAI",
        "max_output_tokens",
    ),
}
ALIASES = {
    "google_genai": "google",
    "google-genai": "google",
    "google_vertexai": "google",
    "gemini": "google",
}
CUSTOM = "custom"


def chat_model(
    configuration: GraphConfigPydantic,
    api_keys: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
    http_client: httpx.AsyncClient | None = None,
) -> BaseChatModel:
    """The model an assistant asks for. Imports its package on first use, so not on the event loop.

    `api_keys` are the user's own (`configurable.apiKeys`) and win over the environment. `http_client` carries the
    requests to a `base_url`. Raises `ModelNotConfigured`.
    """
    chosen = configuration.chosen_model or environ.get("MODEL_NAME") or None
    if configuration.base_url:
        name = configuration.custom_model_name or _model_part(chosen) or PROVIDERS["openai"].default_model
        key = configuration.custom_api_key or environ.get("CUSTOM_API_KEY") or NO_KEY
        return _openai_compatible(configuration, name, key, configuration.base_url, http_client)
    keys = {provider.key: _key(provider.key, api_keys, environ) for provider in PROVIDERS.values()}
    if chosen is None:
        own_url = environ.get("OPENAI_BASE_URL") or environ.get("OPENAI_API_BASE")
        if not own_url and not any(keys.values()) and environ.get("DEMO_MODEL", "1") != "0":
            return DemoModel()
        chosen = _first_choice(keys)
    provider_name, model = _split(chosen)
    if provider_name == CUSTOM:
        raise ModelNotConfigured(
            f"The model {chosen!r} needs a base_url: set it and custom_model_name in the assistant's configurable."
        )
    return _of_provider(configuration, provider_name, model, keys, environ)


def _of_provider(
    configuration: GraphConfigPydantic,
    provider_name: str,
    model: str,
    keys: Mapping[str, str | None],
    environ: Mapping[str, str],
) -> BaseChatModel:
    provider = PROVIDERS[provider_name]
    key = keys[provider.key]
    if provider_name == "openai":
        # The operator's own endpoint, which may want no key; base_url of an assistant is another matter.
        own_url = environ.get("OPENAI_BASE_URL") or environ.get("OPENAI_API_BASE")
        if key or own_url:
            return _openai_compatible(configuration, model, key or NO_KEY, own_url, None)
    if not key:
        raise ModelNotConfigured(
            f"The model '{provider_name}:{model}' needs {provider.key}: set it in the server's environment or in "
            "apiKeys of the run's configurable, or choose another model."
        )
    return _model_class(provider)(
        model=model,
        temperature=configuration.temperature,
        api_key=key,
        **{provider.max_tokens: configuration.max_tokens},
    )


def _openai_compatible(
    configuration: GraphConfigPydantic,
    model: str,
    key: str,
    base_url: str | None,
    http_client: httpx.AsyncClient | None,
) -> BaseChatModel:
    given: dict[str, Any] = {"http_async_client": http_client} if http_client is not None else {}
    return _model_class(PROVIDERS["openai"])(
        model=model,
        temperature=configuration.temperature,
        max_tokens=configuration.max_tokens,
        api_key=key,
        base_url=base_url,
        stream_usage=True,
        **given,
    )


def _model_class(provider: Provider) -> Callable[..., BaseChatModel]:
    try:
        return cast(
            Callable[..., BaseChatModel], getattr(import_module(provider.module), provider.class_name)
        )
    except ModuleNotFoundError as error:
        if error.name != provider.module:
            raise
        raise ModelNotConfigured(
            f"This model needs the package {provider.package} (pip install {provider.package}) and {provider.key}."
        ) from error


def _key(name: str, api_keys: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    return api_keys.get(name) or environ.get(name) or None


def _first_choice(keys: Mapping[str, str | None]) -> str:
    for name, provider in PROVIDERS.items():
        if keys[provider.key]:
            return f"{name}:{provider.default_model}"
    return f"openai:{PROVIDERS['openai'].default_model}"


def _split(chosen: str) -> tuple[str, str]:
    """`gpt-4o` alone is OpenAI's. Raises `ModelNotConfigured` for a provider that we do not know."""
    prefix, colon, model = chosen.partition(":")
    if not colon:
        return "openai", chosen
    provider = ALIASES.get(prefix, prefix)
    if provider not in PROVIDERS and provider != CUSTOM:
        known = ", ".join(f"{name}:" for name in PROVIDERS)
        raise ModelNotConfigured(
            f"The model {chosen!r} has an unknown provider; known are {known} and custom:."
        )
    return provider, model


def _model_part(chosen: str | None) -> str | None:
    """The name without a provider we know: `llama3:8b` is a whole name at an endpoint of one's own."""
    if chosen is None:
        return None
    prefix, colon, model = chosen.partition(":")
    known = ALIASES.get(prefix, prefix) in (*PROVIDERS, CUSTOM)
    return (model or None) if colon and known else chosen
