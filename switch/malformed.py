"""What a peer did wrong, and the status to answer it with."""

from __future__ import annotations


class Malformed(Exception):
    """The peer's message breaks a rule; `status` and `reason` are the answer it should get (if it gets
    one)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
