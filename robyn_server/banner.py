"""What a person sees when the server is ready. Pure."""

import json
import shlex
from collections.abc import Sequence
from ipaddress import ip_address

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
    url = base_url(settings)
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


def base_url(settings: Settings) -> str:
    """Where this machine reaches the server."""
    address = ip_address(settings.host)
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{settings.port}{settings.mount_prefix}"


def try_it(settings: Settings, url: str, graph_id: str) -> str:
    """A curl line for a shell."""
    body = {
        "assistant_id": graph_id,
        "input": {"messages": [{"role": "user", "content": "What is 12 * 34?"}]},
        "stream_mode": "messages-tuple",
    }
    token = SHOWN.get(settings.auth_mode, ' -H "Authorization: Bearer $TOKEN"')
    return f"curl -N {url}/runs/stream -H 'Content-Type: application/json'{token} -d {shlex.quote(json.dumps(body))}"
