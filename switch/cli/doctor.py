"""`belswitch doctor`: is everything there that the switch needs, before its start and at any time after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from switch.cli.common import ConfigOption, JsonOption, config_directory, console, print_json, run

if TYPE_CHECKING:
    from switch.config.model import Config
    from switch.configuration import Configuration
    from switch.doctor.finding import Finding

EXIT = {"ok": 0, "warning": 1, "fault": 2}
_STYLE = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Look at all that the switch needs: configuration, addresses, limits, clock, disk, certificates, names,
    secrets. Each is ok, a warning or a fault, and what is not ok says what to do.

    Nothing is changed. Run it as the user that the switch runs as. Exit code 1: warnings only, 2: a fault.
    """
    from switch.doctor.finding import worst

    directory = config_directory(config)
    findings = run(examine(directory))
    state = worst(findings)
    if json:
        print_json({"state": state, "directory": str(directory), "checks": [_row(one) for one in findings]})
    else:
        _show(directory, findings)
    raise typer.Exit(EXIT[state])


def _row(finding: Finding) -> dict[str, str]:
    return {"what": finding.what, "state": finding.state, "told": finding.told, "remedy": finding.remedy}


def _show(directory: Path, findings: Iterable[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in findings:
        table.add_row(Text(one.state, _STYLE[one.state]), Text(one.what), Text(one.told))
        if one.remedy:
            table.add_row("", "", Text(f"-> {one.remedy}", "bold"))
    screen = console()
    screen.print(Text(str(directory), "dim"), soft_wrap=True)
    screen.print(table)


async def examine(directory: Path) -> list[Finding]:
    """Every finding about a configuration directory and the machine it is on.

    Without a right configuration only what needs none is looked at.
    """
    from switch.doctor import machine, trust

    belgium, this_year = _belgium(), date.today().year
    zone = machine.time_zone(belgium, (this_year, this_year + 1))
    if belgium is None:  # then what is below cannot even be imported
        return [zone]
    from switch.net import survey
    from switch.net.udp import BUFFER

    configuration, findings = _configuration(directory)
    findings += trust.secrets(survey.secrets(directory))
    if configuration is not None:
        findings += await _configured(configuration)
    findings += [
        machine.receive_buffer(survey.receive_buffer(), BUFFER),
        machine.clock_synchronised(await survey.synchronised()),
        zone,
    ]
    return findings


def _belgium() -> ZoneInfo | None:
    try:
        return ZoneInfo("Europe/Brussels")
    except (KeyError, OSError, ValueError):  # not there, not to be read, or no zone
        return None


def _configuration(directory: Path) -> tuple[Configuration | None, list[Finding]]:
    """The configuration as `belswitch check` reads it, and its faults."""
    from switch import configuration
    from switch.doctor.finding import fault, ok

    what, remedy = "configuration", "correct it; `belswitch check` reads it alone"
    loaded, faults = configuration.load(directory)
    if loaded is None:
        return None, [fault(what, one, remedy) for one in faults]
    return loaded, [ok(what, f"{directory} is right")]


async def _configured(configuration: Configuration) -> list[Finding]:
    """What a configuration asks of this machine and of the network."""
    from switch.doctor import machine, network
    from switch.net import survey
    from switch.relay.srtp import AVAILABLE

    config = configuration.config
    state = await survey.running(config)
    named = asyncio.create_task(survey.names(config))  # meanwhile all else
    found = [network.switch(state)]
    found += [network.address(one, state) for one in survey.listen_attempts(config)]
    found += [network.media_host(one) for one in survey.media_attempts(config)]
    found += network.media_ports(config.media.ports, survey.port_facts(config), state)
    found.append(machine.open_files(config, survey.open_files(config)))
    found += machine.data_directory(survey.directory_facts(config.store.directory))
    database = await asyncio.to_thread(survey.database_facts, config.store.directory)
    found.append(machine.database(database))
    found.append(machine.clock_against(time.time_ns() // 1_000_000, database.newest_ms))
    found += _certificate(configuration.directory, config)
    found.append(machine.packages(AVAILABLE))
    found += network.names(await named)
    return found


def _certificate(directory: Path, config: Config) -> Iterator[Finding]:
    from switch.doctor import trust
    from switch.net.certificate import read_certificate

    if (tls := config.sip.tls) is None:
        return
    believed = directory / tls.trust if tls.trust is not None else None
    facts = read_certificate(directory / tls.certificate, directory / tls.key, believed)
    yield from trust.certificate(facts, config.sip.domain, int(time.time()))
