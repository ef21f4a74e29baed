"""Who answers (PSAPs), the gateways towards them and when to try the next (R-EMG-03, R-EMG-06, R-EMG-08).

The directory is built once by `emergency.loader` and never changes; a reload makes another. Whether a gateway
is alive is not known here: routing tries them in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from emergency.location import Provinces
from emergency.numbers import Service, ServiceNumbers

RequestForm = Literal["urn", "digits"]
Transport = Literal["udp", "tcp", "tls"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
REQUEST_FORMS: tuple[RequestForm, ...] = get_args(RequestForm)


@dataclass(frozen=True, slots=True)
class Centre:
    """One emergency centre of one network: the ten of `112` and the eleven police centres of `101`."""

    id: str
    network: str
    name: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A SIP way into one or more centres; `host` is a name or an address, IPv6 without brackets."""

    id: str
    host: str
    port: int
    request: RequestForm = "urn"
    body: bool = True
    """Whether it takes the documents in the body, or SDP alone."""
    transport: Transport = "udp"

    def request_uri(self, service: Service) -> str:
        """What this gateway wants to read in the Request-URI: the service URN or the digits (R-EMG-08)."""
        if self.request == "urn":
            return service.urn
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sip:{service.number}@{host}:{self.port};user=phone"


@dataclass(frozen=True, slots=True)
class Failover:
    """How long after the INVITE a gateway may send nothing at all, or nothing but 100 (R-EMG-06)."""

    trying_timeout_ns: int
    provisional_timeout_ns: int
    probe_ns: int = 0
    """How often gateways are asked whether they are there; 0: never."""

    def moves_on(self, status: int) -> bool:
        """Whether a final response sends the call to the next gateway.

        487 does not: the caller has hung up. A redirection does, as nobody follows it on behalf of a caller
        in need.
        """
        return status >= 300 and status != 487


@dataclass(frozen=True, slots=True)
class Directory:
    """All that is known of emergency services: numbers, provinces, centres, gateways, default centres.

    `gateways` is by centre id, best first; `defaults` gives the default centre's id of each network.
    """

    numbers: ServiceNumbers
    provinces: Provinces
    centres: Mapping[str, Centre]
    gateways: Mapping[str, tuple[Gateway, ...]]
    defaults: Mapping[str, str]
    failover: Failover

    def centre(self, network: str, postcode: str) -> Centre | None:
        """The centre of a network that answers for a postcode; None when the postcode is in no province."""
        province = self.provinces.of(postcode)
        centre = province and province.centre(network)
        return self.centres[centre] if centre else None

    def default(self, network: str) -> Centre:
        """The centre that answers when the caller's own is not known."""
        return self.centres[self.defaults[network]]

    def way_to(self, centre: Centre) -> tuple[Gateway, ...]:
        """The gateways in the order to try them: the centre's own, then the default centre's (R-EMG-06)."""
        own = self.gateways.get(centre.id, ())
        return tuple(dict.fromkeys(own + self.gateways.get(self.defaults[centre.network], ())))
