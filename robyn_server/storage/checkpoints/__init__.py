"""LangGraph's checkpoints: savers, and the upkeep that savers lack."""
