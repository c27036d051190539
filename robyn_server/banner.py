"""What a person sees when the server is ready. Pure."""

import json
import shlex
from collections.abc import Sequence

from robyn_server import __version__
from robyn_server.settings import Settings

AUTH = {
    "none": "none: nobody is asked who they are",
    "supabase": "Supabase tokens",
    "apikey": "API keys",
    "custom": "the handlers of langgraph.json",
}

SHOWN = {"none": "", "apikey": ' -H "X-Api-Key: $KEY"'}
"""How `try_it` says who is calling."""


def banner(settings: Settings, graph_ids: Sequence[str], storage: str) -> str:
    """Address, graphs, storage, auth mode, docs, and one command to try; ends with a line break."""
    url = settings.own_url
    lines = [
        f"robyn-agent-server {__version__}",
        "",
        f"  address  {url}",
        f"  graphs   {', '.join(graph_ids)}",
        f"  storage  {storage}",
        f"  auth     {AUTH[settings.auth_mode]}",
        f"  docs     {url}/docs",
        "",
        "Try a streamed run:",
        "",
        f"  {try_it(settings, url, graph_ids[0])}",
        "",
    ]
    return "\n".join(lines) + "\n"


def try_it(settings: Settings, url: str, graph_id: str) -> str:
    """A curl line for a shell."""
    body = {
        "assistant_id": graph_id,
        "input": {"messages": [{"role": "user", "content": "What is 12 * 34?"}]},
        "stream_mode": "messages-tuple",
    }
    token = SHOWN.get(settings.auth_mode, ' -H "Authorization: Bearer $TOKEN"')
    return f"curl -N {url}/runs/stream -H 'Content-Type: application/json'{token} -d {shlex.quote(json.dumps(body))}"
