"""How messages find their transaction (RFC 3261 sections 17.1.3 and 17.2.3)."""

from __future__ import annotations

from switch.sip.message import Request, Response

MAGIC = "z9hG4bK"

ServerKey = tuple[str, ...]
ClientKey = tuple[str, str]


def server_key(request: Request, method: str | None = None) -> ServerKey:
    """The key of the server transaction a request belongs to; ACK shares the key of its INVITE.

    The CSeq number is part of it: some phones reuse a branch for the request that carries their
    credentials. Without the magic cookie, or with nothing behind it, the rules of RFC 2543 apply.
    """
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    number = str(request.cseq[0])
    if via.branch.startswith(MAGIC) and len(via.branch) > len(MAGIC):
        return via.branch, via.host, str(via.port), method, number
    return request.uri, request.call_id, request.sender.tag or "", request.rows("Via")[0], method, number


def client_key(response: Response) -> ClientKey:
    """The key of the client transaction a response answers: our branch and the method."""
    return response.via.branch, response.cseq[1]
