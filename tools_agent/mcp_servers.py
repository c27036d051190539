"""Which MCP servers an assistant's configuration names, and which of their tools."""

from dataclasses import dataclass

from tools_agent.configuration import MCPConfig

PATH = "/mcp"


@dataclass(frozen=True, slots=True)
class WantedServer:
    """`url` is the server's base, without `/mcp`; `tools` None means all of them."""

    name: str
    url: str
    tools: frozenset[str] | None
    auth_required: bool

    @property
    def endpoint(self) -> str:
        """Where it speaks MCP."""
        return self.url + PATH

    @property
    def named(self) -> str:
        """The server and the wanted tools for a sentence: `'docs' (search, fetch)`."""
        return f"'{self.name}'" + (f" ({', '.join(sorted(self.tools))})" if self.tools else "")


def wanted_servers(settings: MCPConfig | None) -> tuple[WantedServer, ...]:
    """The flat form takes only what `tools` names, `servers` without `tools` takes all that a server has."""
    if settings is None:
        return ()
    found = []
    if settings.url and settings.tools:
        found.append(_wanted("default", settings.url, settings.tools, settings.auth_required))
    for server in settings.servers or ():
        if server.url:
            found.append(_wanted(server.name, server.url, server.tools, server.auth_required))
    return tuple(found)


def _wanted(name: str, url: str, tools: list[str] | None, auth_required: bool | None) -> WantedServer:
    base = url.rstrip("/").removesuffix(PATH)
    return WantedServer(name, base, frozenset(tools) if tools else None, bool(auth_required))
