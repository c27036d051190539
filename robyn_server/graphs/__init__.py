"""From langgraph.json to runnable graphs. Front door: `registry.GraphRegistry`, seen by the engine
and the worker as `interfaces.Graphs`."""
