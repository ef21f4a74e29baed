"""Every command under its name."""

from __future__ import annotations

from typing import Annotated

import typer

from switch.cli.address import group as address
from switch.cli.doctor import doctor
from switch.cli.emergency import group as emergency
from switch.cli.explain import explain
from switch.cli.forward import group as forward
from switch.cli.fraud import group as fraud
from switch.cli.lab import lab
from switch.cli.line import group as line
from switch.cli.line_state import restrict, resume, suspend, terminate
from switch.cli.live import bans, calls, end, registrations, status, unban
from switch.cli.malicious import malicious
from switch.cli.port import group as port
from switch.cli.rate import rate
from switch.cli.records import cdr
from switch.cli.serve import check, serve
from switch.cli.tariff import group as tariff
from switch.cli.top import top
from switch.cli.trace import trace
from switch.cli.usage import usage

cli = typer.Typer(
    help="A SIP switch with live rating for Belgian small-business telephony.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"belswitch {version('belswitch')}")
        except PackageNotFoundError:
            print("belswitch, not installed")
        raise typer.Exit


@cli.callback()
def _root(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


live = (calls, registrations, status, end, bans, unban)
for command in (lab, serve, check, doctor, top, *live, cdr, trace, usage, rate, explain, malicious):
    cli.command()(command)
for state in (suspend, restrict, resume, terminate):
    line.command()(state)
cli.add_typer(line, name="line")
cli.add_typer(forward, name="forward")
cli.add_typer(port, name="port")
cli.add_typer(tariff, name="tariff")
cli.add_typer(emergency, name="emergency")
cli.add_typer(address, name="address")
cli.add_typer(fraud, name="fraud")
