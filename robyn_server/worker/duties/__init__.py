"""Background duties: small objects with `run_once(now)`, driven by one loop."""
