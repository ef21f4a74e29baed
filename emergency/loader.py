"""Reads services, provinces, centres and gateways from `config/emergency/*.toml` (R-EMG-01, -03, -06).

All files of the folder are read as one; which table stands in which file is free. Nothing is half accepted:
either there is a directory in which every postcode leads to a centre and every centre has two gateways, or
there are faults.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain
from pathlib import Path

from emergency.location import FIRST_POSTCODE, LANGUAGES, LAST_POSTCODE, Province, Provinces, postcode_number
from emergency.numbers import KINDS, Service, ServiceNumbers
from emergency.psap import REQUEST_FORMS, TRANSPORTS, Centre, Directory, Failover, Gateway
from emergency.source import Fault, Row, read

_TABLES = ("service", "province", "centre", "default", "gateway", "failover")
_LAW = ("112", "100", "101")
_GATEWAYS_A_CENTRE = 2
_NS_PER_MS = 1_000_000
_LONGEST_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A directory, or None and all the faults that stand in its way."""

    directory: Directory | None
    faults: tuple[Fault, ...]


def load(config_dir: Path) -> Loaded:
    """The emergency directory under `config_dir/emergency`; every fault with file and line."""
    folder = config_dir / "emergency"
    faults: list[Fault] = []
    rows = _rows(folder, faults)
    if faults:
        return Loaded(None, tuple(faults))
    services = _services(rows["service"])
    faults += (
        Fault(folder, 0, f"service {number} is missing; the law wants it open (R-EMG-01)")
        for number in _LAW
        if not any(service.is_emergency and service.number == number for service in services)
    )
    networks = tuple(dict.fromkeys(service.network for service in services if service.is_emergency))
    centres, places = _centres(rows["centre"], networks)
    provinces = _provinces(rows["province"], networks, centres)
    defaults = _defaults(rows["default"][0], networks, centres)
    gateways = _gateways(rows["gateway"], centres)
    for centre, row in places.items():
        if len({(gateway.host, gateway.port) for gateway in gateways.get(centre, ())}) < _GATEWAYS_A_CENTRE:
            row.fault(f"centre {centre} needs gateways at {_GATEWAYS_A_CENTRE} addresses (R-EMG-06)", "id")
    failover = _failover(rows["failover"][0])
    for row in chain.from_iterable(rows.values()):
        row.finish()
    if faults:
        return Loaded(None, tuple(faults))
    numbers = ServiceNumbers(services)
    return Loaded(Directory(numbers, Provinces(provinces), centres, gateways, defaults, failover), ())


def _rows(folder: Path, faults: list[Fault]) -> dict[str, list[Row]]:
    """The tables of the folder: each at least once, those that stand for one thing no more than once."""
    rows = read(sorted(folder.glob("*.toml")), _TABLES, faults)
    if not faults:
        faults += (
            Fault(folder, 0, f"no table {table} in any *.toml file") for table in _TABLES if not rows[table]
        )
    for row in rows["default"][1:] + rows["failover"][1:]:
        row.fault("this table stands in the folder once already")
    return rows


def _services(rows: Iterable[Row]) -> list[Service]:
    services: list[Service] = []
    for row in rows:
        kind, number, urn = row.choice("kind", KINDS), row.text("number"), row.text("urn").lower()
        label = row.text("label")
        network = row.text("network") if kind == "emergency" else ""
        digits = number.removeprefix("+32")
        if number and not (digits.isascii() and digits.isdigit() and digits[0] != "0"):
            row.fault(f"number {number!r} is neither a short code nor +32 and a national number", "number")
        if urn and urn != "help" and not urn.startswith("urn:service:"):
            row.fault(f"urn {urn!r} is neither a service URN (RFC 5031) nor help", "urn")
        if any((one.number, one.urn) == (number, urn) for one in services):
            row.fault(f"service {number} with {urn} is here twice", "number")
        if any(one.number == number and (one.kind, one.network) != (kind, network) for one in services):
            row.fault(f"service {number} is of another kind or network further up", "number")
        services.append(Service(kind, number, urn, label, network))
    return services


def _centres(rows: Iterable[Row], networks: tuple[str, ...]) -> tuple[dict[str, Centre], dict[str, Row]]:
    """The centres by id, and where each of them stands."""
    centres: dict[str, Centre] = {}
    places: dict[str, Row] = {}
    for row in rows:
        centre = Centre(row.text("id"), row.choice("network", networks or ("112",)), row.text("name"))
        if centre.id in centres:
            row.fault(f"centre {centre.id} is here twice", "id")
        centres[centre.id] = centre
        places[centre.id] = row
    return centres, places


def _provinces(rows: list[Row], networks: tuple[str, ...], centres: dict[str, Centre]) -> list[Province]:
    provinces: list[Province] = []
    owner: dict[int, str] = {}
    for row in rows:
        iso, names = row.text("iso"), row.pairs("name")
        if names and set(names) != set(LANGUAGES):
            row.fault(f"name has {', '.join(names)}; {', '.join(LANGUAGES)} are expected", "name")
        if any(province.iso == iso for province in provinces):
            row.fault(f"province {iso} is here twice", "iso")
        postcodes = tuple(_ranges(row))
        for first, last in postcodes:
            taken = {owner[code]: code for code in range(last, first - 1, -1) if code in owner}
            for other, code in taken.items():
                row.fault(f"postcode {code} is in {other} already", "postcodes")
            owner.update(dict.fromkeys(range(first, last + 1), iso))
        answering = row.pairs("centres")
        _check_centres(row, "centres", answering, networks, centres)
        languages = row.texts("languages", ())
        for language in languages:
            if language not in LANGUAGES:
                row.fault(f"language {language!r} is not one of {', '.join(LANGUAGES)}", "languages")
        nl, fr, de = (names.get(language, "") for language in LANGUAGES)
        provinces.append(Province(iso, nl, fr, de, postcodes, tuple(answering.items()), languages))
    missing = [code for code in range(FIRST_POSTCODE, LAST_POSTCODE + 1) if code not in owner]
    if missing:
        rows[-1].fault(f"postcodes in no province: {len(missing)}, the first is {missing[0]}")
    return provinces


def _ranges(row: Row) -> Iterable[tuple[int, int]]:
    for text in row.texts("postcodes"):
        first, dash, last = text.partition("-")
        low = postcode_number(first)
        high = postcode_number(last) if dash else low
        if low is None or high is None or low > high:
            row.fault(f"postcodes {text!r} is not a range such as 1000-1299", "postcodes")
        else:
            yield low, high


def _check_centres(
    row: Row, key: str, answering: dict[str, str], networks: tuple[str, ...], centres: dict[str, Centre]
) -> None:
    """Each network must have its centre here, each centre named must be one of that network."""
    for network in networks:
        if network not in answering:
            row.fault(f"no centre for {network}", key)
    for network, centre in answering.items():
        if centre not in centres:
            row.fault(f"no such centre: {centre}", key or network)
        elif centres[centre].network != network:
            row.fault(f"centre {centre} does not answer {network}", key or network)


def _defaults(row: Row, networks: tuple[str, ...], centres: dict[str, Centre]) -> dict[str, str]:
    defaults = {network: row.text(network) for network in row.names()}
    _check_centres(row, "", defaults, networks, centres)
    return defaults


def _gateways(rows: Iterable[Row], centres: dict[str, Centre]) -> dict[str, tuple[Gateway, ...]]:
    """Gateways by centre in the order of the file; `centres = ["*"]` serves all."""
    gateways: dict[str, tuple[Gateway, ...]] = {}
    ids: set[str] = set()
    for row in rows:
        host, port = row.text("host"), row.whole("port", 1, 65_535)
        request, body = row.choice("request", REQUEST_FORMS, "urn"), row.flag("body", True)
        transport = row.choice("transport", TRANSPORTS, "udp")
        gateway = Gateway(row.text("id"), host, port, request, body, transport)
        if gateway.id in ids:
            row.fault(f"gateway {gateway.id} is here twice", "id")
        ids.add(gateway.id)
        if not _is_address(host):  # a name would have to be looked up while somebody waits for help
            row.fault(f"host {host!r} is not an IP address (IPv6 without brackets)", "host")
        served = row.texts("centres")
        for centre in centres if served == ("*",) else served:
            if centre in centres:
                gateways[centre] = (*gateways.get(centre, ()), gateway)
            else:
                row.fault(f"no such centre: {centre}", "centres")
    return gateways


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _failover(row: Row) -> Failover:
    trying_ms = row.whole("trying_timeout_ms", 100, _LONGEST_TIMEOUT_MS)
    provisional_ms = row.whole("provisional_timeout_ms", 100, _LONGEST_TIMEOUT_MS)
    probe_s = row.whole("probe_s", 0, 3600, 30)
    return Failover(trying_ms * _NS_PER_MS, provisional_ms * _NS_PER_MS, 1000 * probe_s * _NS_PER_MS)
