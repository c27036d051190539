"""BYTES. Formats without I/O: feed a value, get bytes; feed bytes, get a value."""
