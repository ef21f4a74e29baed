"""The lab put together: a switch with a temporary database, carriers on its trunks, centres on its gateways.

Everything stands where the configuration says, moved by as much as the port asked for differs from the
configured one, so that two labs can run side by side. Only loopback addresses are played: a lab never
talks to a real carrier or centre.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterable
from datetime import date, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from emergency.psap import Directory
from rating.calendar import BRUSSELS
from switch.app import App
from switch.config.lines import LineEntry
from switch.config.loader import default_config_dir, load_lines
from switch.configuration import Configuration, line_of
from switch.lab.caller import CallingLeg
from switch.lab.party import Party
from switch.net.clock import SystemClock
from switch.net.store import Store
from switch.ports import NS_PER_S, Address

LINES_FILE = Path("lab") / "lines.toml"
DEMO_NUMBER = "00212612345678"
"""A Moroccan mobile: charged by the minute under every plan, at any hour, never from a bundle."""
FOREIGN_CALLER = "+4420712345678"


class LabError(Exception):
    """The lab cannot be set up like this; the message is for the person who asked for it."""


def lab_lines(directory: Path) -> tuple[LineEntry, ...]:
    """The demo lines of a configuration, or those that come along.

    Raises:
        LabError: they have faults.
    """
    path = directory / LINES_FILE
    entries, faults = load_lines(path if path.exists() else default_config_dir() / LINES_FILE)
    if faults:
        raise LabError("\n".join(map(str, faults)))
    return entries


def lab_configuration(configuration: Configuration, data: Path, port: int | None) -> Configuration:
    """The configuration with all data in `data`, the switch at `port` and its neighbours moved along.

    Raises:
        LabError: a trunk or gateway is not on loopback, or a port leaves the range.
    """
    config = configuration.config
    first = config.sip.listen[0]
    shift = 0 if port is None else port - first.port
    trunks = tuple(trunk.model_copy(update={"port": trunk.port + shift}) for trunk in config.trunks)
    emergency = _moved(configuration.emergency, shift)
    listen = tuple(one.model_copy(update={"port": one.port + shift}) for one in config.sip.listen)
    for what, host, at in _places(trunks, emergency):
        if not _is_loopback(host):
            raise LabError(f"the lab plays on loopback only, but {what} is {host}; give it another --config")
        if at > 65_535:
            raise LabError(
                f"port {port} leaves no port for {what}; the highest that does is lower by {at - 65_535}"
            )
    lab = config.model_copy(
        update={
            "sip": config.sip.model_copy(update={"listen": listen}),
            "trunks": trunks,
            "calls": config.calls.model_copy(update={"stop": "end"}),
            "store": config.store.model_copy(update={"directory": data}),
            "admin": config.admin.model_copy(update={"port": 0}),  # any free port: a lab shares the machine
        }
    )
    return dataclasses.replace(configuration, config=lab, emergency=emergency)


def shift_to(local: str | None) -> int:
    """How far ahead the lab's clock runs to start at a Belgian local time, `20:00` or `2026-12-24T20:00`; ns.

    Raises:
        LabError: it is no time.
    """
    clock = SystemClock()
    if local is None:
        return 0
    now = datetime.fromtimestamp(clock.moment().wall_ns // NS_PER_S, BRUSSELS)
    try:
        day = date.fromisoformat(local[:10]) if "-" in local else now.date()
        text = local[11:] if "-" in local else local
        wanted = datetime.combine(day, datetime.strptime(text or "00:00", "%H:%M").time(), BRUSSELS)
    except ValueError:
        raise LabError(f"--at must be like 20:00 or 2026-12-24T20:00, not {local}") from None
    return (int(wanted.timestamp()) - clock.moment().wall_ns // NS_PER_S) * NS_PER_S


class Lab:
    """Switch, carrier and centre in one process. `parties` has the simulated ones, carriers first."""

    def __init__(
        self, configuration: Configuration, lines: Iterable[LineEntry], log: Any, shift_ns: int
    ) -> None:
        self.configuration = configuration
        self.lines = tuple(lines)
        self.carriers: list[Party] = []
        self.centres: list[Party] = []
        self.app: App
        self._log = log
        self._shift_ns = shift_ns
        self._store: Store | None = None

    @property
    def address(self) -> Address:
        """Where the switch listens."""
        listen = self.configuration.config.sip.listen[0]
        return Address(listen.host, listen.port)

    async def start(self) -> None:
        """Bring everything up; on failure take down what was up already.

        Raises:
            OSError, StoreError, RuntimeError: something is not to be had.
        """
        config = self.configuration.config
        try:
            for trunk in config.trunks:
                self.carriers.append(Party(trunk.name, Address(trunk.host, trunk.port)))
            for gateway in _gateways(self.configuration.emergency):
                self.centres.append(Party(gateway.id, Address(gateway.host, gateway.port)))
            self._store = await Store.open(config.store.directory)
            await self._store.put_lines([line_of(entry, config) for entry in self.lines], replace=True)
            self.app = App(self.configuration, self._store, self._log, clock=SystemClock(self._shift_ns))
            await self.app.start()
        except BaseException:
            await self._close_rest()
            raise

    async def stop(self) -> bool:
        """End the calls, write their records; False when some could not be written. `close` comes after."""
        return await self.app.stop()

    async def close(self) -> None:
        """Give everything back."""
        await self._close_rest()

    async def _close_rest(self) -> None:
        for party in (*self.carriers, *self.centres):
            party.close()
        if self._store is not None:
            await self._store.close()

    def calls(self) -> list[dict[str, Any]]:
        """The running calls as an operator sees them."""
        return self.app.core.view_calls(self.app.clock.moment())

    async def records(self, limit: int) -> list[dict[str, Any]]:
        """The last records, newest first."""
        return await self.app.store.cdrs(limit=limit)

    def registered(self, number: str) -> bool:
        """Whether the line that has a number can be called now."""
        line = self.app.core.lines.by_number.get(number)
        now = self.app.clock.moment()
        return line is not None and bool(self.app.core.registrar.bindings(line.user, now))

    def call_in(self, number: str) -> CallingLeg:
        """The carrier calls a line."""
        return self.carriers[0].call(number, FOREIGN_CALLER, self.address)


def scenario(name: str) -> Path:
    """A SIPp scenario that comes along."""
    return Path(__file__).with_name("scenarios") / f"{name}.xml"


def data_directory() -> Path:
    """A temporary directory for a lab's database and log."""
    return Path(tempfile.mkdtemp(prefix="belswitch-lab-"))


def forget(data: Path) -> None:
    """Remove it."""
    shutil.rmtree(data, ignore_errors=True)


def _gateways(emergency: Directory) -> list[Any]:
    return list(dict.fromkeys(gateway for way in emergency.gateways.values() for gateway in way))


def _moved(emergency: Directory, shift: int) -> Directory:
    gateways = {
        centre: tuple(dataclasses.replace(gateway, port=gateway.port + shift) for gateway in way)
        for centre, way in emergency.gateways.items()
    }
    return dataclasses.replace(emergency, gateways=gateways)


def _places(trunks: Iterable[Any], emergency: Directory) -> Iterable[tuple[str, str, int]]:
    yield from ((f"trunk {trunk.name}", trunk.host, trunk.port) for trunk in trunks)
    yield from ((f"gateway {gateway.id}", gateway.host, gateway.port) for gateway in _gateways(emergency))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
