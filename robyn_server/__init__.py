"""An agent server: assistants, threads, runs and their streams, durable, over one engine.

The rooms, from the edge inwards: `surfaces` (HTTP APIs), `web` (Robyn), `engine` (verbs), `worker`
(execution), `storage`/`events`/`graphs`/`auth`/`wire` (parts), `resources` (nouns). Imports go inwards only.
"""

__version__ = "0.1.0"
