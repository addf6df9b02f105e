"""`python -m simulator` is the command line."""

import sys

from simulator.commands.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
