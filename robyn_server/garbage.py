"""Python's collector of cyclic garbage, kept away from what lives as long as the process.

Each full collection visits every object there is, and after the imports that is half a million: while tokens are
streamed, this was a quarter of the CPU time. The collector is switched off while the server loads, told to leave alone
what is there then, and runs more seldom after that. Most objects never need it: they go with their last reference.
"""

import gc

THRESHOLDS = (10_000, 20, 20)
"""New objects until a collection of the young ones (2 ms at most), and of these until one of the older."""


def keep_all() -> None:
    """Collect nothing while the server loads."""
    gc.disable()


def collect_what_is_new() -> None:
    """From now on, collect what was made after this."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
