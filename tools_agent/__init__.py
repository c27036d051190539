"""THE TOOLS AGENT: a ReAct agent with MCP tools, document collections and any chat model.

Its front door is `agent.py:graph`, which langgraph.json names. It runs under any LangGraph server and knows nothing of
ours. What is heavy (model packages, MCP) is imported when a run first needs it, so that a server starts at once.
"""
