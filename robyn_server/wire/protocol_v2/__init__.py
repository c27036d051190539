"""The thread protocol ("v2"): commands in, one stream of numbered events out. Pure, no I/O.

`commands.py` reads and answers commands, `channels.py` says what a subscription wants to see, `session.py` turns the
entries of a thread's log into the events of one reader.
"""
