"""`python -m robyn_server`."""

import sys

from robyn_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
