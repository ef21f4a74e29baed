"""Under which names links are counted towards limits (`switch.call.running`)."""

from __future__ import annotations

from switch.routing.lines import Line

UNPROVEN = "emergency calls of callers who proved nothing"


def line_name(line: Line) -> str:
    """The name under which a line's calls are counted; lines and trunks may be called alike."""
    return f"line {line.user}"


def sent_on_name(line: Line) -> str:
    """The name under which the calls are counted that a line forwards, redirects or transfers."""
    return f"sent on by {line.user}"


def trunk_name(name: str) -> str:
    """The name under which a trunk's calls are counted."""
    return f"trunk {name}"
