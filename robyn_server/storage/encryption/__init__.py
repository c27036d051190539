"""Encryption at rest: ciphers, their keys, and the check that they are those of the data."""
