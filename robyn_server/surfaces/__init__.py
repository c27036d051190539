"""ROOMS FOR GUESTS. One HTTP API each, over the same engine; a surface owns no tables and knows no other surface."""
