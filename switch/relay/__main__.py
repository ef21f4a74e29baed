"""`python -m switch.relay --fd N`: run the relay on the SOCK_SEQPACKET socket N until its peer closes it."""

from __future__ import annotations

import argparse
import resource
import signal
import socket
import sys
from types import FrameType

from switch.relay.forward import run


def main() -> None:
    """Read the arguments, make ready the process, relay."""
    parser = argparse.ArgumentParser(prog="python -m switch.relay", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the command socket")
    arguments = parser.parse_args()
    try:
        control = socket.socket(fileno=arguments.fd)
    except OSError as error:
        parser.error(f"--fd {arguments.fd}: {error}")

    def end(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets the calls end first
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run(control)


if __name__ == "__main__":
    main()
