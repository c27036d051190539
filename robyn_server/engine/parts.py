"""What the engine is made of, joined in `runtime.py` and handed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from robyn_server.auth.interfaces import Auth
from robyn_server.auth.sealing import Sealer
from robyn_server.auth.tickets import StreamTickets
from robyn_server.engine.hooks import RunHooks
from robyn_server.engine.webhook_policy import WebhookPolicy
from robyn_server.events.interfaces import EventLog, Notifier
from robyn_server.graphs.interfaces import Graphs
from robyn_server.resources.types import Json
from robyn_server.settings import Settings
from robyn_server.storage.interfaces import Storage


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each. `config_file` is the parsed langgraph.json (sections `http`, `webhooks`, `store`, ...)."""

    settings: Settings
    storage: Storage
    log: EventLog
    notifier: Notifier
    graphs: Graphs
    auth: Auth
    sealer: Sealer
    tickets: StreamTickets
    hooks: RunHooks
    config_file: Mapping[str, Json] = field(default_factory=dict)
    webhook_policy: WebhookPolicy = field(default_factory=WebhookPolicy)

    @property
    def base_url(self) -> str:
        """The address this server gives itself, e.g. in a run's `langgraph_api_url`."""
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.port}"
