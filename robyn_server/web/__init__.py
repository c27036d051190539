"""THE EDGE. The only room that knows Robyn (`robyn_adapter.py`, `streaming.py`); handlers see `routing` only."""
