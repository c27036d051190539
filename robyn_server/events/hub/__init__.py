"""Between a server on SQLite and the worker processes beside it: events and hints through a socket."""
