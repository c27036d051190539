"""WHO is calling, when the agent runs under another server than ours."""
