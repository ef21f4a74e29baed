"""The record of an attempt (R-CDR-01): every one, answered or not. Times are UTC milliseconds, money
ten-thousandths of a euro."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive seconds at one price: `start_s` after the answer, `per_minute` in ten-thousandths of a
    euro, `source` one of `tariff`, `bundle`, `included`."""

    start_s: int
    seconds: int
    per_minute: int
    source: str
    peak: bool
    month: str
    tariff: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON can hold them."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Cdr:
    """One call detail record. A field that does not apply is None or ''.

    `outcome` is one of `answered`, `cancelled`, `busy`, `no-answer`, `rejected`, `refused` (by the switch),
    `failed`, `service` (a feature code); `released_by` one of `caller`, `callee`, `switch`; `verdict` the
    admission's reason code; `caused_by` the id of the call that was forwarded or transferred, so that this
    one came about; `diversions` the numbers that it was sent on from, the last one first; `end_user` who
    uses the line (R-EUS-01); `flags` what an operator should know (`no-media`, `no-ack`, `restart`, `limit`,
    `cap`...).
    """

    call_id: str
    line: str
    origin: str
    trunk: str
    device: str
    caller: str
    dialled: str
    called: str
    destination_class: str
    zone: str
    emergency: bool
    verdict: str
    outcome: str
    status: int
    cause: int | None
    released_by: str
    invited_ms: int
    ringing_ms: int | None
    answered_ms: int | None
    released_ms: int
    post_dial_delay_ms: int | None
    setup_ms: int | None
    duration_s: int
    plan: str
    options: tuple[str, ...]
    tariff: str
    setup_fee: int
    amount: int
    segments: tuple[Segment, ...]
    diversions: tuple[str, ...]
    flags: tuple[str, ...]
    end_user: str = ""
    caused_by: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON can hold them."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["segments"] = [segment.as_dict() for segment in self.segments]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Cdr:
        """The inverse of `as_dict`."""
        segments = tuple(Segment(**segment) for segment in values["segments"])
        return cls(
            **{
                **values,
                "segments": segments,
                "options": tuple(values["options"]),
                "diversions": tuple(values["diversions"]),
                "flags": tuple(values["flags"]),
            }
        )
