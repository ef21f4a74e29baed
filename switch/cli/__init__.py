"""The command line `belswitch`. Nothing heavy is imported before a command needs it: `--help` is quick.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or wrong configuration.
"""

from __future__ import annotations

from switch.cli.root import cli


def main() -> None:
    """What the installed `belswitch` runs."""
    cli(prog_name="belswitch")
