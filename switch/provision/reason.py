"""Why a line is suspended (R-SUS-02, R-SUS-04), or has ended (R-POR-04)."""

from __future__ import annotations

from enum import StrEnum

PORTED = "ported"
"""The `state_reason` of a line whose last number went to another operator."""


class Reason(StrEnum):
    """Kept as a line's `state_reason`."""

    UNPAID = "unpaid"
    FRAUD = "fraud"
    MISUSE = "misuse"
    INTEGRITY = "integrity"  # of the network

    @property
    def at_once(self) -> bool:
        """Whether it needs no notice, and ends the calls that run."""
        return self is not Reason.UNPAID
