"""Exit codes: what a shell, or CI, learns of a command."""

from simulator.errors import BadInput

KEPT = 0
BROKEN = 1
CANNOT_TELL = 2
# The rest are sysexits.h's names for them, and a shell's for signals.
WRONG_USAGE = 64
WRONG_DATA = 65
OUR_FAULT = 70
INTERRUPTED = 130
PIPE_CLOSED = 141


class WrongUsage(BadInput):
    """What the command line names cannot be used: an experiment, a folder, an option's value."""
