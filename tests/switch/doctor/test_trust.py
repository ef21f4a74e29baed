from __future__ import annotations

import pytest

from switch.doctor.trust import DAY_S, CertificateFacts, SecretFacts, certificate, secrets

NOW_S = 1_800_000_000
DOMAIN = "voice.example"


def facts(*names: tuple[str, str], days: float = 90) -> CertificateFacts:
    return CertificateFacts(from_s=NOW_S - 100, until_s=NOW_S + int(days * DAY_S), names=names)


@pytest.mark.parametrize(
    ("days", "state", "told"),
    [
        (90, "ok", "the certificate holds 90 days more"),
        (30, "ok", "the certificate holds 30 days more"),
        (29.9, "warning", "the certificate holds 29 days more"),
        (0, "fault", "the certificate expired 0 days ago"),
        (-3, "fault", "the certificate expired 3 days ago"),
    ],
)
def test_how_long_a_certificate_holds(days: float, state: str, told: str) -> None:
    first = next(certificate(facts(("DNS", DOMAIN), days=days), DOMAIN, NOW_S))
    assert (first.state, first.told) == (state, told)


def test_one_that_does_not_hold_yet() -> None:
    assert next(certificate(facts(("DNS", DOMAIN)), DOMAIN, NOW_S - 200)).state == "fault"


@pytest.mark.parametrize(
    ("domain", "name", "state"),
    [
        (DOMAIN, ("DNS", DOMAIN), "ok"),
        (DOMAIN, ("DNS", "VOICE.example"), "ok"),
        (DOMAIN, ("URI", "sip:voice.example"), "ok"),
        (DOMAIN, ("DNS", "*.example"), "warning"),
        (DOMAIN, ("DNS", "other.example"), "fault"),
        (DOMAIN, ("DNS", "*.voice.example"), "fault"),
        ("192.0.2.1", ("IP Address", "192.0.2.1"), "ok"),
        ("192.0.2.1", ("DNS", "192.0.2.1"), "fault"),
    ],
)
def test_whom_a_certificate_is_for(domain: str, name: tuple[str, str], state: str) -> None:
    _, second = certificate(facts(name), domain, NOW_S)
    assert second.state == state


def test_one_without_a_name_proves_nobody() -> None:
    _, second = certificate(facts(), DOMAIN, NOW_S)
    assert second.told == "the certificate is for nobody, and not for sip.domain, voice.example"


def test_one_that_cannot_be_used_is_all_there_is_to_say() -> None:
    (only,) = certificate(CertificateFacts(trouble="a.pem cannot be read"), DOMAIN, NOW_S)
    assert (only.state, only.told) == ("fault", "a.pem cannot be read")


@pytest.mark.parametrize(
    ("secret", "state"),
    [
        (SecretFacts("k", "file", 0o640), "ok"),
        (SecretFacts("k", "file", 0o644), "warning"),
        (SecretFacts("k", "inline", 0o644), "warning"),
        (SecretFacts("k", "inline", 0o600), "ok"),
        (SecretFacts("k", "environment"), "ok"),
        (SecretFacts("k", "environment", trouble="the variable it names is not set here"), "fault"),
        (SecretFacts("k", "file", trouble="the file it names cannot be read: Permission denied"), "fault"),
    ],
)
def test_who_reads_a_secret(secret: SecretFacts, state: str) -> None:
    (finding,) = secrets([secret])
    assert (finding.what, finding.state) == ("k", state)
