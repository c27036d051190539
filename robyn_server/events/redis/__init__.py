"""Events, hints and counters of many servers, in Redis."""
