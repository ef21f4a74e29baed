"""Dialogs (RFC 3261 section 12): what two user agents remember of each other, and the requests they send
inside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from switch.malformed import Malformed
from switch.ports import Address
from switch.sip.message import Fields, Request, Response
from switch.sip.uri import parse_name_addr, parse_uri

_LOOSE = re.compile(r";\s*lr\s*(?:[;=>?]|\Z)", re.I)
_TAG = re.compile(r"(?<!\s)\s*+;\s*+tag\s*+=[^;]*+", re.I)  # looks at a run of blanks once


class Dialog:
    """One dialog, early or confirmed. `local` and `remote` are From/To values without tags."""

    __slots__ = (
        "call_id",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        remote_target: str,
        route_set: list[str],
        local_cseq: int,
        remote_cseq: int | None,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq

    @classmethod
    def of_server(cls, request: Request, local_tag: str, remote_target: str) -> Dialog:
        """The dialog a UAS makes of a request (section 12.1.1)."""
        return cls(
            call_id=request.call_id,
            local=request.rows("To")[0],
            local_tag=local_tag,
            remote=strip_tag(request.rows("From")[0]),
            remote_tag=request.sender.tag or "",
            remote_target=remote_target,
            route_set=request.values("Record-Route"),
            local_cseq=0,
            remote_cseq=request.cseq[0],
        )

    @classmethod
    def of_client(cls, request: Request, response: Response, local_tag: str, remote_target: str) -> Dialog:
        """The dialog a UAC makes of a response (section 12.1.2)."""
        return cls(
            call_id=request.call_id,
            local=strip_tag(request.rows("From")[0]),
            local_tag=local_tag,
            remote=strip_tag(response.rows("To")[0]),
            remote_tag=response.recipient.tag or "",
            remote_target=remote_target,
            route_set=response.values("Record-Route")[::-1],
            local_cseq=request.cseq[0],
            remote_cseq=None,
        )

    def request(
        self, method: str, *, cseq: int | None = None, fields: Fields | None = None, body: bytes = b""
    ) -> Request:
        """A request inside the dialog (section 12.2.1.1). ACK gives the `cseq` of its INVITE; others count
        on."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, route = self.remote_target, self.route_set
        if route and not _LOOSE.search(route[0]):  # a strict router of RFC 2543 comes first
            uri, route = _uri_of(route[0]), [*route[1:], f"<{self.remote_target}>"]
        ours: Fields = {}
        if route:
            ours["Route"] = [", ".join(route)]
        ours["From"] = [f"{self.local};tag={self.local_tag}"]
        ours["To"] = [f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote]
        ours["Call-ID"] = [self.call_id]
        ours["CSeq"] = [f"{cseq} {method}"]
        if fields:
            ours.update(fields)
        return Request(method, uri, ours, body)

    def accepts(self, request: Request) -> bool:
        """Whether a request belongs here and is in order (section 12.2.2); remembers its CSeq."""
        if (request.sender.tag or "") != self.remote_tag:
            return False
        number = request.cseq[0]
        if request.method != "ACK":
            if self.remote_cseq is not None and number <= self.remote_cseq:
                return False
            self.remote_cseq = number
        return True

    def next_hop(self) -> Address | None:
        """Where requests go by the route set or the remote target, when that is an address and not a name
        (section 12.2.1.1)."""
        target = _uri_of(self.route_set[0]) if self.route_set else self.remote_target
        try:
            uri = parse_uri(target)
            address = ip_address(uri.host)
        except (Malformed, ValueError):
            return None
        if address.is_multicast or address.is_unspecified or uri.host == "255.255.255.255":
            return None
        return Address(uri.host, uri.port or 5060)

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: for ending the dialog after a restart."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> Dialog:
        """The inverse of `snapshot`."""
        return cls(**{name: snapshot[name] for name in cls.__slots__})


def _uri_of(route: str) -> str:
    try:
        return parse_name_addr(route).uri
    except Malformed:
        return route


def strip_tag(value: str) -> str:
    """A From or To value without its tag parameter, everything else as it was."""
    params = value.rfind(">") + 1
    return value[:params] + _TAG.sub("", value[params:], count=1)
