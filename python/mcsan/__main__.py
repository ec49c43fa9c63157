"""The command `mcsan`."""

import signal
import sys

from . import _mcsan


def main() -> int:
    """Runs the command line; returns its exit code."""
    # The program has its own way to end whole.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _mcsan.main(["mcsan", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
