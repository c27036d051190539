"""LISTENERS. What an operator sees: logs (`logging.py`) and numbers. They fit `engine/hooks.py` by shape;
nothing in the engine knows of them."""
