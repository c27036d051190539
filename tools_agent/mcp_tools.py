"""The MCP servers of an assistant, asked for their tools. Light: what speaks the protocol is imported on first use."""

import asyncio
import logging
from importlib import import_module

from tools_agent.caller import Caller
from tools_agent.configuration import MCPConfig
from tools_agent.mcp_servers import WantedServer, wanted_servers
from tools_agent.mcp_tokens import NoToken, mcp_token
from tools_agent.outbound import Outbound
from tools_agent.toolbox import Toolbox, merged

logger = logging.getLogger(__name__)


async def mcp_toolbox(settings: MCPConfig | None, caller: Caller, outbound: Outbound) -> Toolbox:
    """The wanted tools of all servers that answer. Never raises for a server: what it does not give is missing."""
    servers = wanted_servers(settings)
    if not servers:
        return Toolbox()
    # It takes the better part of a second: not on the event loop.
    await asyncio.to_thread(import_module, "tools_agent.mcp_client")
    interrupts = settings is not None and settings.on_interaction_required == "interrupt"
    return merged(await asyncio.gather(*(_of_server(s, caller, outbound, interrupts) for s in servers)))


async def _of_server(server: WantedServer, caller: Caller, outbound: Outbound, interrupts: bool) -> Toolbox:
    from tools_agent.mcp_client import McpClient, Unreachable  # noqa: PLC0415 - heavy, see above

    try:
        token = await mcp_token(server.url, caller, outbound) if server.auth_required else None
        return await McpClient(server, token, outbound, interrupts).toolbox()
    except (NoToken, Unreachable) as error:
        logger.warning("MCP server %s gives no tools: %s", server.name, error)
        return Toolbox(missing=(f"The tools of MCP server {server.named} cannot be used: {error}",))
