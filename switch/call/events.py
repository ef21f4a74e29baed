"""What a leg tells its call: facts of a telephone call, free of SIP's transactions. An SDP body is b''
when there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ringing:
    """The called side rings (180), is queued (182) or sends early media (183)."""

    status: int
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The called side took the call. The leg waits for `acknowledge`."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The called side did not take the call. `local`: no answer came from it at all (time-out, transport);
    `contacts` are where a 3xx says to look instead."""

    status: int
    cause: int | None = None
    retry_after_s: int | None = None
    local: bool = False
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up before the answer; or does not acknowledge that it rings, which is answered with
    another `status`."""

    status: int = 487


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Our answer (to the call or to a `Modify`) has arrived; `sdp` answers an offer that was in it."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Modify:
    """A party asks to change the session; without `sdp` it asks for an offer. Settled by `accept` or
    `decline`."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class ModifyCancelled:
    """A party takes back its `Modify`."""


@dataclass(frozen=True, slots=True)
class Modified:
    """A party accepted our change. The leg waits for `acknowledge`."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class ModifyRefused:
    """A party did not accept our change; the session stays as it was."""

    status: int


@dataclass(frozen=True, slots=True)
class RefreshDue:
    """A party that takes no UPDATE waits for a sign that the session goes on (RFC 4028): a `modify` that
    changes nothing."""


@dataclass(frozen=True, slots=True)
class Info:
    """Application data within the call (RFC 6086 and its legacy uses), answered by `answer_info` under
    `number`."""

    number: int
    content_type: str
    package: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InfoAnswered:
    """The party's answer to application data passed on."""

    number: int
    status: int


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog that a transfer is to take the place of (RFC 3891), in the words of the phone that named
    it."""

    call_id: str
    to_tag: str
    from_tag: str


@dataclass(frozen=True, slots=True)
class Refer:
    """A party asks us to bring the other one together with `target` (RFC 3515), a SIP or tel URI; with
    `replaces`, in place of a call that it has there (RFC 5589). Settled by `answer` under `number`; `silent`:
    it wants to hear nothing of what comes of it (RFC 4488)."""

    number: int
    target: str
    replaces: Replaces | None
    silent: bool


@dataclass(frozen=True, slots=True)
class HungUp:
    """A party ended the call."""

    cause: int | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A party is gone: it does not acknowledge, or knows nothing of the call any more. `probed`: found by
    asking, so nobody knows since when."""

    status: int
    probed: bool = False


@dataclass(frozen=True, slots=True)
class Unheard:
    """A party was asked for a sign of life and gave none. It may be gone, or a phone that ignores OPTIONS."""


Event = (
    Ringing
    | Answered
    | Refused
    | Cancelled
    | Acknowledged
    | Modify
    | ModifyCancelled
    | Modified
    | ModifyRefused
    | RefreshDue
    | Info
    | InfoAnswered
    | Refer
    | HungUp
    | Unheard
    | Lost
)
