"""The lines of the switch: who they are, how they prove it, what they may (R-EUS-01, R-NUM-04). Values,
replaced as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from switch.provision.reason import PORTED
from switch.sip.auth import Account

GONE_STATES = frozenset({"terminated", "quarantine"})
"""States of a line without any service; in quarantine its number may not be given to anybody either."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `numbers` has the main number first, E.164. `sources` are networks admitted without digest
    (a customer's own equipment); `address` is the registered one, as the emergency package reads it. `cap` is
    what may be charged in a month, in euros with VAT (R-CAP-02): '' what the plan says, 'none' any amount;
    `concluded` the date of the contract, '' when it is not known. `premium`: it may call 070 and 090x, which
    are barred otherwise (R-SPC-04).

    `end_user` is who uses it (R-EUS-01), one of `end_users` on its licence (R-NUM-02, R-NUM-03). `devices`
    are the identities of the equipment rented for it, which it may be restricted to (R-EQP-01). Calls may be
    forwarded and transferred abroad only with both `agreement` and `guarantee` on file (R-POL-02); `abroad`
    is False while it may not call abroad at all. `withhold`: its number is not shown unless a call asks for
    it. `state_reason` says why it is not active ('' by default), `disputed` that a bill is disputed while the
    rest is paid (R-SUS-05), `terminated_on` the date since when it has no service (R-POR-03). `secret_out`:
    its secret is believed no more, so that it cannot prove itself and its contacts may be anybody's; never
    stored, see `switch.fraud.measures`.
    """

    user: str
    numbers: tuple[str, ...]
    account: Account
    plan: str
    options: tuple[str, ...] = ()
    state: str = "active"
    kind: str = "desk"
    address: Mapping[str, Any] | None = None
    max_contacts: int = 5
    max_calls: int = 2
    sources: tuple[str, ...] = ()
    cap: str = ""
    concluded: str = ""
    premium: bool = False
    end_user: str = ""
    end_users: int = 1
    devices: tuple[str, ...] = ()
    agreement: bool = False
    guarantee: bool = False
    abroad: bool = True
    withhold: bool = False
    state_reason: str = ""
    disputed: bool = False
    terminated_on: str = ""
    secret_out: bool = False

    @property
    def number(self) -> str:
        """The main number: what the line is called by in records."""
        return self.numbers[0]

    @property
    def gone(self) -> bool:
        """Whether its contract has ended: its number has no service (domain guide section 8)."""
        return self.state in GONE_STATES

    @property
    def ported(self) -> bool:
        """Whether its numbers are another operator's now."""
        return self.gone and self.state_reason == PORTED

    @property
    def language(self) -> str:
        """The language its subscriber is spoken to in."""
        return str((self.address or {}).get("language", "")) or "nl"

    @property
    def nomadic(self) -> bool:
        """Whether it may be used elsewhere than at its address (R-EMG-02)."""
        return self.kind == "softphone"


@dataclass(slots=True)
class LineTable:
    """Every line by what it is found by; all look-ups are one dict probe."""

    by_user: dict[str, Line] = field(default_factory=dict)
    by_number: dict[str, Line] = field(default_factory=dict)
    by_source: dict[str, Line] = field(default_factory=dict)
    networks: list[tuple[IPv4Network | IPv6Network, Line]] = field(default_factory=list)
    _decoys: list[Account] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> LineTable:
        """The table of these lines; on a clash the first has it (the store refuses clashes). A number that
        was ported out is not here: it is called over trunks."""
        table = cls()
        for line in lines:
            table.by_user.setdefault(line.user, line)
            for number in () if line.ported else line.numbers:
                table.by_number.setdefault(number, line)
            for source in line.sources:
                network = ip_network(source, strict=False)
                if network.num_addresses == 1:
                    table.by_source.setdefault(str(network.network_address), line)
                else:
                    table.networks.append((network, line))
        table._decoys = [
            Account(_NOTHING, line.account.algorithms, line.account.lenient)
            for _, line in sorted(table.by_user.items())
        ]
        return table

    def put(self, line: Line) -> None:
        """Another value of a line that is here, with the same numbers and sources."""
        old = self.by_user[line.user]
        self.by_user[line.user] = line
        for table in (self.by_number, self.by_source):
            table.update({key: line for key, owner in table.items() if owner is old})
        self.networks = [(network, line if owner is old else owner) for network, owner in self.networks]

    def admitted_from(self, host: str) -> Line | None:
        """The line whose equipment has this address."""
        line = self.by_source.get(host)
        if line is not None or not self.networks:
            return line
        address = ip_address(host.partition("%")[0])
        return next((owner for network, owner in self.networks if address in network), None)

    def decoy(self, user: str, secret: bytes) -> Account:
        """The account an unknown user is challenged and checked by: for one name always the same real
        line's settings, with digests that nothing matches, so that asking tells nothing about who exists."""
        if not self._decoys:
            return DECOY
        mark = hashlib.blake2b(user.encode("utf-8", "surrogateescape"), digest_size=8, key=secret).digest()
        return self._decoys[int.from_bytes(mark, "big") % len(self._decoys)]


_NOTHING = {"MD5": "-" * 32, "SHA-256": "-" * 64}
DECOY = Account(_NOTHING, ("MD5",))
