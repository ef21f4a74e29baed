"""Lines and tables of lines for the routing tests."""

from __future__ import annotations

from typing import Any

from switch.routing.lines import Line
from switch.sip.auth import Account, ha1

REALM = "switch.example"


def make_line(user: str = "alice", password: str = "secret", **settings: Any) -> Line:
    """A line with the digests of its password."""
    algorithms = settings.pop("algorithms", ("MD5",))
    account = Account(
        {name: ha1(name, user, REALM, password) for name in ("MD5", "SHA-256")},
        algorithms,
        settings.pop("lenient", False),
    )
    return Line(
        user=user,
        numbers=settings.pop("numbers", ("+3216234567",)),
        account=account,
        plan=settings.pop("plan", "classic"),
        **settings,
    )
