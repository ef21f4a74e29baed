"""The media of one call: a relay session with two sides, and every SDP body rewritten on its way through (RFC
3264).

A body that comes from one side says where that side wants to receive: the relay is aimed at it. The same
body leaves for the other side with the relay's addresses. Offers and answers, early and late, initial and
renewed are all this one step, so nothing here counts offers; `call` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from switch.malformed import Malformed
from switch.media.keying import Agreed
from switch.media.keyring import Keyring
from switch.media.port_pool import PortPool
from switch.media.sounds import Sounds
from switch.ports import Entropy, Relay
from switch.sdp.answer import answer_alone
from switch.sdp.description import UNSPECIFIED, Description, Media, parse, print_with
from switch.sdp.terms import ANY_TERMS, SideTerms, Srtp

UNKNOWN = {4: "192.0.2.0", 6: "2001:db8::"}
"""Addresses that nobody has (RFC 5737, RFC 3849): a party is yet to be learnt from its packets."""


class NoPorts(Exception):
    """All relay ports are in use."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Relay addresses by family (4 and 6), what is told to the parties instead, and the silence that ends a
    call (0: none).

    `barred` are addresses where SIP is spoken (our own, trunks, gateways): no media is ever sent there.
    `learn_any` admits an address learnt from any source, not only from the party's signalling or signalled
    host. `srtp` is what phones are offered.
    """

    hosts: Mapping[int, str]
    advertised: Mapping[int, str]
    silence_ms: int
    learn_any: bool = False
    barred: frozenset[tuple[str, int]] = frozenset()
    srtp: Srtp = Srtp.THROUGH


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides last said and were told: sections by stream and side, whether each wants to talk, and
    the keys."""

    sections: list[list[Media | None]]
    talking: list[bool]
    keys: dict[tuple[int, int], Agreed]
    said: list[bytes]
    bodies: list[str]


class Anchor:
    """The relay session of one call. Side 0 is the caller's, side 1 the callee's."""

    __slots__ = (
        "_aimed",
        "_bodies",
        "_families",
        "_keyring",
        "_learn",
        "_listening",
        "_order",
        "_origins",
        "_pool",
        "_ports",
        "_said",
        "_sections",
        "_settings",
        "_talking",
        "_versions",
        "_watching_ms",
        "session",
        "sounds",
        "used",
    )

    def __init__(
        self,
        session: int,
        pool: PortPool,
        settings: MediaSettings,
        entropy: Entropy,
        order: Callable[[Relay], None],
    ) -> None:
        self.session = session
        self.used = False
        """Whether the relay ever opened ports for this call, so that a report follows its end."""
        self._pool = pool
        self._settings = settings
        self._order = order
        self._keyring = Keyring(entropy)
        self._ports: list[tuple[int, int]] = []
        self._sections: list[list[Media | None]] = []
        self._aimed: dict[tuple[int, int], list[Any]] = {}
        self._families = [4, 4]
        self._learn: list[str | None] = [None, None]
        self._bodies: list[str] = ["", ""]
        self._versions = [0, 0]
        self._origins = [2 * session + 1, 2 * session + 2]
        self._said = [b"", b""]
        self._talking = [True, True]
        self._listening = False
        self._watching_ms = 0
        self.sounds = Sounds(session, lambda: self._sections if self.open else (), self._command)
        """What the relay itself lets the parties hear."""

    def place(self, side: int, signalling_host: str, terms: SideTerms = ANY_TERMS) -> None:
        """Say where a side's signalling comes from, which decides the address family and whom an address may
        be learnt from, and on what terms it takes part.

        The next trunk tried may speak the other family than the last one.
        """
        self._keyring.place(side, terms)
        family = 6 if ":" in signalling_host else 4
        if family not in self._settings.hosts:
            family = next(iter(self._settings.hosts))
        self._learn[side] = "" if self._settings.learn_any else signalling_host
        for sections in self._sections:
            sections[side] = None
        self._set_family(side, family)

    def relay(self, side: int, body: bytes) -> bytes:
        """The body that came from `side`, as the other side is to see it.

        Raises:
            Malformed: no usable SDP.
            NoPorts: it asks for more ports than there are.
        """
        description = parse(body)
        self._check_addresses(side, description)
        self._keyring.hear(side, description)
        self._reserve(len(description.media))
        self._said[side] = body
        other = 1 - side
        for stream, section in enumerate(description.media):
            self._aim(stream, side, section)
        self._talking[side] = description.talking
        self._watch()
        ports = [
            self._ports[i][other] if section.relayed else 0 for i, section in enumerate(description.media)
        ]
        family = self._families[other]
        return self._versioned(other, description, self._settings.advertised[family], ports)

    def take(self, side: int, body: bytes) -> None:
        """The answer of a side that was told again what it knows: only the relay has to hear of it.

        Raises:
            Malformed: no usable SDP; all stays as it was.
        """
        description = parse(body)
        self._check_addresses(side, description)
        self._keyring.hear(side, description)
        for stream, section in enumerate(description.media[: len(self._ports)]):
            self._aim(stream, side, section)

    def said(self, side: int) -> bytes:
        """What a side described last, as it came; b'' when it said nothing yet."""
        return self._said[side]

    def repeat(self, side: int) -> bytes:
        """What a side was told last, as a new description."""
        self._versions[side] += 1
        host = self._settings.advertised[self._families[side]]
        return self._printed(side, host)

    def place_as(self, side: int, signalling_host: str, other: Anchor, other_side: int) -> None:
        """A side that was on another session comes to this one, on the same terms."""
        self.place(side, signalling_host, other._keyring.terms[other_side])
        self._keyring.go_on_from(side, other._keyring, other_side)
        self.adopt(side, other, other_side)

    def adopt(self, side: int, other: Anchor, other_side: int) -> None:
        """A side that was on another session is on this one now: to it, one description follows the other
        (RFC 3264 section 8: the same origin, a higher version)."""
        self._origins[side] = other._origins[other_side]
        self._versions[side] = other._versions[other_side]

    def outlast(self, side: int, other: Anchor, other_side: int) -> None:
        """A side was offered another session and did not take it: what it is told from now on is newer than
        that offer, which had its version as well."""
        self._versions[side] = max(self._versions[side], other._versions[other_side] + 1)

    def stand_in(self, side: int, offer: bytes) -> bytes:
        """The answer to the other side's `offer` in the name of a side that gave none that can be used: all
        that is offered, with an address to be learnt from its packets.

        Raises:
            Malformed: no usable SDP.
        """
        description = parse(offer)
        host = UNKNOWN[self._families[side]]
        other = 1 - side
        self._keyring.hear(other, description)
        sections = [replace(one, host=host, port=one.port and 9, rtcp_port=0) for one in description.media]
        for stream, section in enumerate(sections):
            self._aim(stream, side, section)
        ports = [self._ports[i][other] if section.relayed else 0 for i, section in enumerate(sections)]
        return self._versioned(other, description, self._settings.advertised[self._families[other]], ports)

    def answer_alone(self, offer: bytes) -> bytes:
        """The switch's own answer to the offer of side 0 while there is no other party: the first audio
        stream that offers G.711, with telephone-events, and nothing else. `say` can be heard then. It is for
        an anchor that no other party will join.

        Raises:
            Malformed: no usable SDP, or no G.711 (488).
            NoPorts: all are in use.
        """
        description = parse(offer)
        self._check_addresses(0, description)
        self._keyring.hear(0, description)
        self._set_family(1, self._families[0])  # nobody is there, so no address of another family is needed
        host = self._settings.advertised[self._families[0]]
        stream, answer = answer_alone(description, host)
        self._reserve(stream + 1)
        self._aim(stream, 0, replace(description.media[stream], formats=answer.media[stream].formats))
        ports = [self._ports[i][0] if section.port else 0 for i, section in enumerate(answer.media)]
        return self._versioned(0, answer, host, ports)

    def follow(self, side: int, signalling_host: str) -> None:
        """A side's signalling comes from elsewhere now: so may its media."""
        if not self._settings.learn_any:
            self._learn[side] = signalling_host

    def agreement(self) -> Agreement:
        """What is agreed now, to return to when a change is refused."""
        return Agreement(
            [list(sections) for sections in self._sections],
            list(self._talking),
            self._keyring.agreed(),
            list(self._said),
            list(self._bodies),
        )

    def return_to(self, agreement: Agreement | None) -> None:
        """A change was refused: the session is as it was (RFC 3261 section 14.1)."""
        if agreement is None:
            return
        self._talking, self._said = list(agreement.talking), list(agreement.said)
        self._keyring.restore(agreement.keys)
        for side, body in enumerate(agreement.bodies):
            if body != self._bodies[side]:  # what it was told since has had its version
                self._bodies[side] = body
                self._versions[side] += 1
        for stream, both in enumerate(agreement.sections):
            for side, section in enumerate(both):
                if section is not None:
                    self._aim(stream, side, section)
        self._watch()

    @property
    def watching(self) -> bool:
        """Whether the relay would tell when both sides fall silent."""
        return self._watching_ms != 0

    def listen(self) -> None:
        """The call is answered: from now on silence from both sides means that the media is lost."""
        self._listening = True
        self._watch()

    def reopen(self) -> None:
        """The relay process died and another has taken its place: the same ports and parties again."""
        aimed, self._aimed = self._aimed, {}
        self._watching_ms = 0
        for stream, ports in enumerate(self._ports):
            self._open(stream, ports)
        for (stream, side), aim in aimed.items():
            if len(aim) > 6 and aim[6] is not None:
                for old, new in self._keyring.renew(stream, side).items():
                    self._bodies[side] = self._bodies[side].replace(old, new)
                self._versions[side] += 1
                aim[6] = self._keyring.keys(stream, side)
            self._point(stream, side, aim)
        self._watch()

    def has_keys(self, side: int) -> bool:
        """Whether what is sent to a side is encrypted here."""
        return self._keyring.has_keys(side)

    def close(self) -> None:
        """Close every port at once; the relay answers with its report."""
        if self._ports:
            self._command(["close", self.session])
            self._pool.give([port for pair in self._ports for port in pair])
            self._ports = []

    @property
    def open(self) -> bool:
        """Whether the relay holds ports for this call."""
        return bool(self._ports)

    def _check_addresses(self, side: int, description: Description) -> None:
        """Only single addresses can be relayed to, all of one family. What a side offers first decides its
        family; later it keeps to it, for it has been told an address of that family."""
        for section in description.media:
            if not section.relayed or section.host in UNSPECIFIED:
                continue
            try:
                address = ip_address(section.host)
            except ValueError:
                raise Malformed(488, "SDP names no IP address") from None
            if address.is_multicast or section.host == "255.255.255.255":
                raise Malformed(488, "SDP names no single address")
            if {(section.host, section.port), _rtcp_target(section)} & self._settings.barred:
                raise Malformed(488, "SDP names a SIP address")
            if address.version != self._families[side]:
                if self._bodies[side] or address.version not in self._settings.hosts:
                    raise Malformed(488, "SDP of the other address family")
                self._set_family(side, address.version)

    def _set_family(self, side: int, family: int) -> None:
        """Speak another address family to a side; a session that is open is opened anew on the same ports."""
        if family == self._families[side]:
            return
        self._families[side] = family
        if self._ports:
            self._command(["close", self.session])
            self._aimed.clear()
            self._watching_ms = 0
            for stream, ports in enumerate(self._ports):
                self._open(stream, ports)

    def _versioned(self, side: int, description: Description, host: str, ports: list[int]) -> bytes:
        """Section 5 of RFC 3264 and 8: the version grows exactly when what this side sees has changed."""
        self._keyring.tell(side, description, ports)
        rest = print_with(description, host, ports)
        if rest != self._bodies[side]:
            self._bodies[side] = rest
            self._versions[side] += 1
        return self._printed(side, host)

    def _printed(self, side: int, host: str) -> bytes:
        family = "IP6" if ":" in host else "IP4"
        origin = f"o=- {self._origins[side]} {self._versions[side]} IN {family} {host}"
        return f"v=0\r\n{origin}\r\n{self._bodies[side]}".encode("utf-8", "surrogateescape")

    def _reserve(self, streams: int) -> None:
        missing = streams - len(self._ports)
        if missing <= 0:
            return
        taken = self._pool.take(2 * missing)
        if taken is None:
            raise NoPorts
        for index in range(missing):
            ports = (taken[2 * index], taken[2 * index + 1])
            self._ports.append(ports)
            self._sections.append([None, None])
            self._open(len(self._ports) - 1, ports)

    def _open(self, stream: int, ports: tuple[int, int]) -> None:
        self.used = True
        hosts = [self._settings.hosts[family] for family in self._families]
        self._command(["open", self.session, stream, hosts[0], ports[0], hosts[1], ports[1], True])

    def _aim(self, stream: int, side: int, section: Media) -> None:
        """Aim the relay at what `section` says, and again at the other side where this settles rtcp-mux:
        RTCP shares the RTP port only once both sides have said so (RFC 5761 section 5.1.1)."""
        sections = self._sections[stream]
        sections[side] = section
        mux = all(one is not None and one.mux for one in sections)
        for which, one in enumerate(sections):
            if one is None or not one.relayed:
                continue
            rtcp_host, rtcp_port = _rtcp_target(one)
            if mux:
                rtcp_port = 0
            keys = self._keyring.keys(stream, which) if one.rtp else None
            aim = [one.host, one.port, rtcp_host, rtcp_port, self._learn[which], one.clock_rate]
            event_type = one.event_type
            if keys is not None or event_type >= 0:
                aim += [keys, event_type]
            if self._aimed.get((stream, which)) != aim:
                self._point(stream, which, aim)

    def _point(self, stream: int, side: int, aim: list[Any]) -> None:
        self._aimed[stream, side] = aim
        self._command(["aim", self.session, stream, side, *aim])

    def _watch(self) -> None:
        """Silence means something in an answered call where both sides should talk."""
        silence_ms = self._settings.silence_ms if self._listening and all(self._talking) else 0
        if silence_ms != self._watching_ms:
            self._watching_ms = silence_ms
            self._command(["watch", self.session, silence_ms])

    def _command(self, command: list[Any]) -> None:
        self._order(Relay(self.session, command))


def _rtcp_target(section: Media) -> tuple[str, int]:
    """Where a side wants its RTCP: what a=rtcp says, else one port above its RTP (RFC 3605)."""
    said = section.rtcp_host
    host = said if said and _same_family(said, section.host) else section.host
    return host, section.rtcp_port or min(section.port + 1, 65535)


def _same_family(host: str, other: str) -> bool:
    """Whether both are addresses of one family; a=rtcp may say anything."""
    try:
        return ip_address(host).version == ip_address(other).version
    except ValueError:
        return False
