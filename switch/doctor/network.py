"""Addresses to listen on, ports for media, names of others.

A running switch holds its ports, so what would be a fault before the start is right after it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from switch.config.model import PortRange
from switch.doctor.finding import Finding, fault, ok, warning
from switch.ports import Address

Running = Literal["no", "yes", "silent"]
"""Whether a switch runs on the data directory; a `silent` one has the operator's socket and says nothing."""

SHOWN = 5
"""Ports named one by one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What binding an address came to: 0 or the errno. `key` is where it is configured."""

    key: str
    transport: str
    address: Address
    errno: int


@dataclass(frozen=True, slots=True)
class PortFacts:
    """UDP ports of the media range that others hold, on an address of the media; the ports that the kernel
    deals out, and those of them it keeps back, first and last each. Both are empty where it does not tell."""

    taken: tuple[int, ...] = ()
    dealt: tuple[int, int] | None = None
    kept_back: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A host name and what it leads to; None: no answer in time."""

    what: str
    host: str
    srv: bool
    found: tuple[Address, ...] | None


def switch(running: Running) -> Finding:
    """Whether one is running, which says how the rest is to be read."""
    match running:
        case "yes":
            return ok("switch", "is running and answers")
        case "no":
            return ok("switch", "is not running")
    return fault("switch", "is running and does not answer", "read its log, then start it anew")


def address(attempt: Attempt, running: Running) -> Finding:
    """One address to listen on."""
    what = attempt.key
    host, port = attempt.address
    where = f"{attempt.transport} {f'[{host}]' if ':' in host else host}:{port}"
    if attempt.errno == 0 and running == "no":
        return ok(what, f"{where} is free")
    if attempt.errno == 0:
        told = f"{where} is free, though the switch is running"
        return warning(what, told, "the address was changed since the start: restart the switch")
    if attempt.errno == errno.EADDRINUSE and running != "no":
        return ok(what, f"{where} is held, and the switch is running")
    if attempt.errno == errno.EADDRINUSE:
        remedy = f"`ss --listening --udp --tcp --processes --numeric sport = :{port}` names who holds it"
        return fault(what, f"{where} is taken", f"{remedy}; end that, or change {what}")
    if attempt.errno == errno.EADDRNOTAVAIL:
        remedy = f"change {what}, or give the address to an interface; `ip address` shows those there are"
        return fault(what, f"{host} is no address of this machine", remedy)
    if attempt.errno in (errno.EACCES, errno.EPERM):
        remedy = (
            "give the service CAP_NET_BIND_SERVICE (AmbientCapabilities in its unit), or take a higher port"
        )
        return fault(what, f"{where} may not be had: ports this low take a capability", remedy)
    return fault(what, f"{where} cannot be had: {os.strerror(attempt.errno)}", f"change {what}")


def media_host(attempt: Attempt) -> Finding:
    """One address for media, tried with a port that the kernel chose."""
    if attempt.errno == 0:
        return ok(attempt.key, f"{attempt.address.host} is an address of this machine")
    told = f"{attempt.address.host} cannot be had: {os.strerror(attempt.errno)}"
    return fault(attempt.key, told, f"change {attempt.key}; `ip address` shows the addresses there are")


def media_ports(ports: PortRange, facts: PortFacts, running: Running) -> Iterator[Finding]:
    """Whether anybody else has ports of the range, or may come to have them."""
    span = f"{ports.first}-{ports.last}"
    if running != "no":
        yield ok("media.ports", f"{span}, in use by the running switch")
    elif facts.taken:
        some = ", ".join(map(str, facts.taken[:SHOWN])) + (", ..." if len(facts.taken) > SHOWN else "")
        remedy = "end who holds them (`ss --udp --all --processes --numeric`), or move media.ports"
        yield warning("media.ports", f"of {span} others hold {len(facts.taken)}: {some}", remedy)
    else:
        yield ok("media.ports", f"{span}, nobody else has any")
    if facts.dealt is None:
        return
    dealt = "{}-{}".format(*facts.dealt)
    if exposed := _exposed(range(ports.first, ports.last + 1), facts):
        told = f"{exposed} of them may be dealt out to any program: net.ipv4.ip_local_port_range is {dealt}"
        remedy = f"sysctl --write net.ipv4.ip_local_reserved_ports={span}, or move media.ports"
        yield warning("media.ports", told, remedy)


def _exposed(ports: range, facts: PortFacts) -> int:
    """How many ports the kernel may deal out."""
    assert facts.dealt is not None
    first, last = facts.dealt
    dealt = set(range(max(first, ports.start), min(last + 1, ports.stop)))
    for first, last in facts.kept_back:
        dealt.difference_update(range(first, last + 1))
    return len(dealt)


def names(found: Iterable[Named]) -> Iterator[Finding]:
    """Every host name that is to be looked up."""
    for name in found:
        kind, verb = ("SRV records of ", "lead") if name.srv else ("", "leads")
        if name.found:
            yield ok(name.what, f"{kind}{name.host} {verb} to {_some(name.found, name.srv)}")
        elif name.found is None:
            remedy = "see whether the name servers of /etc/resolv.conf are reached"
            yield fault(name.what, f"{kind}{name.host}: no answer in time", remedy)
        else:
            remedy = "correct the name, or ask who runs it for its records"
            yield fault(name.what, f"{kind}{name.host} {verb} nowhere", remedy)


def _some(found: Sequence[Address], with_port: bool) -> str:
    shown = [f"{one.host} port {one.port}" if with_port else one.host for one in found[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(found) > SHOWN else "")
