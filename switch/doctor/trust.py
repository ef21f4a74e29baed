"""Certificates and secrets: whether they are there, right, and read by nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from switch.config.model import is_literal
from switch.doctor.finding import Finding, fault, ok, warning

SOON_S = 30 * 86_400
DAY_S = 86_400
READ_BY_ALL = 0o004


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says: until when it holds (UTC seconds since the epoch), and for whom, as pairs of
    `DNS`, `IP Address` or `URI` and a name. `trouble` says why it cannot be used."""

    trouble: str = ""
    from_s: int = 0
    until_s: int = 0
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """Where a secret is kept: in a `file` of its own, in the `environment`, or `inline` in the configuration.
    `mode` is that of the file it is in, and `trouble` says why it cannot be had. What it is called is not
    told: it may be the secret itself, written in the wrong place."""

    key: str
    kept: Literal["file", "environment", "inline"]
    mode: int = 0
    trouble: str = ""


def certificate(facts: CertificateFacts, domain: str, now_s: int) -> Iterator[Finding]:
    """The certificate that phones and carriers are shown."""
    what = "sip.tls"
    if facts.trouble:
        remedy = "name a PEM file with the chain, and one with its key, without a pass phrase"
        yield fault(what, facts.trouble, remedy)
        return
    yield _time(what, facts, now_s)
    names = ", ".join(name for _, name in facts.names) or "nobody"
    remedy = f"have it issued for {domain}, by its full name"
    match _covers(facts.names, domain):
        case "yes":
            yield ok(what, f"the certificate is for {names}")
        case "wildcard":
            told = f"only a wildcard covers {domain}; RFC 5922 has SIP believe none"
            yield warning(what, told, remedy)
        case "no":
            yield fault(what, f"the certificate is for {names}, and not for sip.domain, {domain}", remedy)


def _time(what: str, facts: CertificateFacts, now_s: int) -> Finding:
    left_s = facts.until_s - now_s
    remedy = "put the new one in its place, then `SIGHUP`: it is read again"
    if now_s < facts.from_s:
        return fault(what, "the certificate does not hold yet", "set the clock right, or have it issued anew")
    if left_s <= 0:
        return fault(what, f"the certificate expired {-left_s // DAY_S} days ago", remedy)
    told = f"the certificate holds {left_s // DAY_S} days more"
    return warning(what, told, remedy) if left_s < SOON_S else ok(what, told)


def _covers(names: Sequence[tuple[str, str]], domain: str) -> Literal["yes", "wildcard", "no"]:
    """Whether a certificate proves a SIP domain (RFC 5922 section 7)."""
    kind = "IP Address" if is_literal(domain) else "DNS"
    told = {(of, name.lower()) for of, name in names}
    if (kind, domain) in told or ("URI", f"sip:{domain}") in told:
        return "yes"
    parent = domain.partition(".")[2]
    return "wildcard" if kind == "DNS" and ("DNS", f"*.{parent}") in told else "no"


def secrets(found: Iterable[SecretFacts]) -> Iterator[Finding]:
    """Passwords, keys and the secret that signs notices."""
    for secret in found:
        what = secret.key
        if secret.trouble:
            where = "file" if secret.kept == "file" else "variable"
            remedy = f"see to the {where} that the key names, as the user that the switch runs as"
            yield fault(what, secret.trouble, remedy)
        elif secret.kept == "environment":
            yield ok(what, "is in the environment")
        elif secret.mode & READ_BY_ALL:
            told = f"the file it is in has mode {secret.mode:04o}: everybody on this machine can read it"
            yield warning(what, told, "chmod 0640, and give it to the group that the switch runs as")
        else:
            yield ok(what, f"is in a file with mode {secret.mode:04o}")
