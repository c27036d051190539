"""DOING. Claims runs and executes them; the duties that keep the house in order. Front door: `worker.Worker`."""
