"""Digest: RFC 7616, RFC 8760, RFC 3261 section 22; what is lenient is so on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.ports import NS_PER_S
from switch.sip.auth import Account, Authenticator, Verdict, answer, digest, ha1, parse_digest
from switch.sip.message import Request
from tests.switch.sip.support import WALL_NS, Chance, Row, make_request

REALM = "switch.example"
URI = "sip:switch.example"
TTL_S = 300
ACCOUNT = Account(
    {name: ha1(name, "alice", REALM, "secret") for name in ("MD5", "SHA-256")}, ("MD5", "SHA-256")
)


# --- the algorithms -----------------------------------------------------------------------------------------


def test_the_md5_example_of_rfc_2617() -> None:
    """RFC 2617 section 3.5, with qop."""
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    value = answer([challenge], "GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b")
    assert value is not None
    params = parse_digest(value)
    assert params is not None
    assert params["response"] == "6629fae49393a05397450978507c4ef1"
    assert params["opaque"] == "5ccc069c403ebaf9f0171e9517f40e41"
    assert (params["qop"], params["nc"]) == ("auth", "00000001")


RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    """RFC 7616 section 3.9.1."""
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    challenge = RFC_7616.format(algorithm)
    value = answer([challenge], "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce)
    assert value is not None
    assert f'response="{response}"' in value


def test_the_strongest_challenge_is_answered() -> None:
    rows = [RFC_7616.format("MD5"), RFC_7616.format("SHA-256")]
    for offered in (rows, rows[::-1]):
        value = answer(offered, "GET", "/", "u", "p", "c")
        assert value is not None
        assert "algorithm=SHA-256" in value


def test_without_qop_the_answer_is_that_of_rfc_2069() -> None:
    """RFC 2617 section 3.2.2.1."""
    value = answer(['Digest realm="r", nonce="n"'], "REGISTER", "sip:h", "u", "p", "c")
    assert value is not None
    params = parse_digest(value)
    assert params is not None
    assert "qop" not in params
    expected = digest("MD5", f"{ha1('MD5', 'u', 'r', 'p')}:n:{digest('MD5', 'REGISTER:sip:h')}")
    assert params["response"] == expected


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ['Basic realm="r"'],
        ['Digest realm="r", nonce="n", algorithm=SHA-512-256'],
        ['Digest realm="r", nonce="n", qop="auth-int"'],
        ["Digest realm="],
    ],
)
def test_a_challenge_we_cannot_meet_is_not_answered(rows: list[str]) -> None:
    assert answer(rows, "INVITE", "sip:h", "u", "p", "c") is None


def test_quotes_in_a_challenge_come_back_quoted() -> None:
    value = answer([r'Digest realm="a\"b\\c", nonce="n", opaque="o\"p"'], "INVITE", "sip:h", 'u"v', "p", "c")
    assert value is not None
    params = parse_digest(value)
    assert params is not None
    assert (params["realm"], params["opaque"], params["username"]) == ('a"b\\c', 'o"p', 'u"v')
    assert 'realm="a\\"b\\\\c"' in value


# --- reading credentials ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Digest a="b"', {"a": "b"}),
        ('DIGEST A = "b,c" , d=e,', {"a": "b,c", "d": "e"}),
        ('Digest a="\\"q\\""', {"a": '"q"'}),
        ("Digest ", {}),
        ('Basic a="b"', None),
        ("NoOneKnowsThisScheme opaque-data=here", None),
        ('Digest a="b" c="d"', None),
        ('Digest a="b', None),
        ("Digest a", None),
        ('Digest realm="x", realm="y"', None),
    ],
)
def test_credentials_are_read(value: str, expected: dict[str, str] | None) -> None:
    assert parse_digest(value) == expected


# --- the server side ----------------------------------------------------------------------------------------


class Door:
    """An authenticator and a client that knows a password."""

    def __init__(self, account: Account = ACCOUNT, seed: int = 1) -> None:
        self.account = account
        self.server = Authenticator(realm=REALM, nonce_ttl_s=TTL_S, entropy=Chance(seed))
        self.now_s = 0

    @property
    def now_ns(self) -> int:
        return WALL_NS + self.now_s * NS_PER_S

    def challenge(self, *algorithms: str) -> list[str]:
        return self.server.challenge(algorithms or ("MD5",), self.now_ns)

    def check(self, request: Request) -> Verdict:
        params = self.server.credentials(request)
        return self.server.check(request, params, self.account, self.account.algorithms, self.now_ns)


def register(value: str | None, uri: str = URI, field: str = "Authorization") -> Request:
    fields: dict[str, Row] = {field: value}
    return make_request("REGISTER", uri, fields=fields)


def credentials(
    rows: list[str],
    password: str = "secret",
    uri: str = URI,
    nc: int = 1,
    user: str = "alice",
    method: str = "REGISTER",
) -> str:
    value = answer(rows, method, uri, user, password, "cnonce", nc)
    assert value is not None
    return value


def old_credentials(rows: list[str]) -> str:
    """As a phone of RFC 2069 makes them: without qop."""
    return credentials([row.replace(', qop="auth"', "") for row in rows])


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("field", ["Authorization", "Proxy-Authorization"])
def test_the_right_password_is_right(algorithm: str, field: str) -> None:
    door = Door()
    assert door.check(register(credentials(door.challenge(algorithm)), field=field)) is Verdict.RIGHT


def test_challenges_are_in_the_order_offered_and_share_a_nonce() -> None:
    first, second = Door().challenge("MD5", "SHA-256")
    assert "algorithm=MD5" in first
    assert "algorithm=SHA-256" in second
    md5, sha = parse_digest(first), parse_digest(second)
    assert md5 is not None
    assert sha is not None
    assert md5["nonce"] == sha["nonce"]
    assert md5["qop"] == "auth"
    assert md5["realm"] == REALM
    assert "stale" not in md5


def test_two_challenges_have_two_nonces() -> None:
    door = Door()
    assert door.challenge() != door.challenge()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        'Basic realm="switch.example"',
        'Digest realm="other", username="alice"',
        'Digest realm="switch.example"',
    ],
)
def test_credentials_for_somebody_else_are_none(value: str | None) -> None:
    assert Door().check(register(value)) is Verdict.ABSENT


def test_a_wrong_password_is_wrong() -> None:
    door = Door()
    assert door.check(register(credentials(door.challenge(), password="guess"))) is Verdict.WRONG


def test_credentials_of_another_method_are_wrong() -> None:
    door = Door()
    assert door.check(register(credentials(door.challenge(), method="INVITE"))) is Verdict.WRONG


def test_the_counter_must_rise_strictly() -> None:
    """RFC 7616 section 3.4: a repeated nc is a replay."""
    door = Door()
    rows = door.challenge()
    verdicts = [door.check(register(credentials(rows, nc=nc))) for nc in (1, 1, 2, 7, 3, 7, 8)]
    right, stale = Verdict.RIGHT, Verdict.STALE
    assert verdicts == [right, stale, right, right, stale, stale, right]


def test_a_wrong_password_does_not_use_up_a_count() -> None:
    door = Door()
    rows = door.challenge()
    assert door.check(register(credentials(rows, password="guess", nc=5))) is Verdict.WRONG
    assert door.check(register(credentials(rows, nc=1))) is Verdict.RIGHT


def test_counters_belong_to_one_nonce_each() -> None:
    door = Door()
    first, second = door.challenge(), door.challenge()
    assert door.check(register(credentials(first, nc=5))) is Verdict.RIGHT
    assert door.check(register(credentials(second, nc=1))) is Verdict.RIGHT


@pytest.mark.parametrize("nc", ["1", "0000000g", "00000001x", ""])
def test_a_count_that_is_none_is_wrong(nc: str) -> None:
    door = Door()
    value = credentials(door.challenge())
    ha2 = digest("MD5", f"REGISTER:{URI}")
    params = parse_digest(value)
    assert params is not None
    text = f"{ACCOUNT.ha1['MD5']}:{params['nonce']}:{nc}:cnonce:auth:{ha2}"
    value = value.replace(params["response"], digest("MD5", text)).replace("nc=00000001", f'nc="{nc}"')
    assert door.check(register(value)) is Verdict.WRONG


def test_an_old_nonce_is_stale_and_only_with_the_right_password() -> None:
    door = Door()
    rows = door.challenge()
    door.now_s = TTL_S
    assert door.check(register(credentials(rows))) is Verdict.RIGHT
    door.now_s = TTL_S + 1
    assert door.check(register(credentials(rows, nc=2))) is Verdict.STALE
    assert door.check(register(credentials(rows, password="guess"))) is Verdict.WRONG
    assert "stale=true" in door.server.challenge(("MD5",), door.now_ns, stale=True)[0]


@pytest.mark.parametrize("nonce", ["", "abc", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "é", "A" * 36])
def test_a_nonce_that_is_not_ours_is_stale(nonce: str) -> None:
    door = Door()
    rows = [f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"']
    assert door.check(register(credentials(rows))) is Verdict.STALE


def test_a_nonce_of_another_switch_is_stale() -> None:
    assert Door(seed=1).check(register(credentials(Door(seed=2).challenge()))) is Verdict.STALE


def test_a_nonce_whose_date_was_altered_is_stale() -> None:
    door = Door()
    (row,) = door.challenge()
    params = parse_digest(row)
    assert params is not None
    nonce = params["nonce"]
    altered = ("B" if nonce[0] == "A" else "A") + nonce[1:]
    assert door.check(register(credentials([row.replace(nonce, altered)]))) is Verdict.STALE


def test_the_digest_uri_must_be_the_request_uri() -> None:
    door = Door()
    value = credentials(door.challenge(), uri="sip:elsewhere.example")
    assert door.check(register(value)) is Verdict.WRONG
    escaped = credentials(door.challenge(), uri="sip:%2B32@switch.example")
    assert door.check(register(escaped, uri="sip:+32@switch.example")) is Verdict.RIGHT


@pytest.mark.parametrize(
    ("uri", "verdict"),
    [
        ("sip:switch.example", Verdict.RIGHT),
        ("sip:SWITCH.example:5060", Verdict.RIGHT),
        ("sip:switch.example:5061", Verdict.WRONG),
        ("sip:+33@switch.example", Verdict.WRONG),
        ("rubbish", Verdict.WRONG),
    ],
)
def test_a_digest_for_our_host_as_a_whole_is_taken(uri: str, verdict: Verdict) -> None:
    """SIPp computes it so."""
    door = Door()
    assert (
        door.check(register(credentials(door.challenge(), uri=uri), uri="sip:+32@switch.example")) is verdict
    )


def test_without_qop_only_a_lenient_line_is_admitted() -> None:
    strict, lenient = Door(), Door(replace(ACCOUNT, lenient=True))
    assert strict.check(register(old_credentials(strict.challenge()))) is Verdict.WRONG
    assert lenient.check(register(old_credentials(lenient.challenge()))) is Verdict.RIGHT


def test_another_digest_uri_is_admitted_of_a_lenient_line_only() -> None:
    door = Door(replace(ACCOUNT, lenient=True))
    value = credentials(door.challenge(), uri="sip:elsewhere.example")
    assert door.check(register(value)) is Verdict.RIGHT


def test_lenient_is_not_lax() -> None:
    door = Door(replace(ACCOUNT, lenient=True))
    rows = door.challenge()
    assert (
        door.check(register(old_credentials([*rows]).replace('response="', 'response="0'))) is Verdict.WRONG
    )
    assert door.check(register(credentials(rows))) is Verdict.RIGHT
    assert door.check(register(credentials(rows))) is Verdict.STALE
    door.now_s = TTL_S + 1
    assert door.check(register(old_credentials(rows))) is Verdict.STALE


def test_an_algorithm_that_was_not_offered_is_wrong() -> None:
    door = Door(Account({"SHA-256": ACCOUNT.ha1["SHA-256"]}, ("SHA-256",)))
    assert door.check(register(credentials(door.challenge("MD5")))) is Verdict.WRONG
    assert door.check(register(credentials(door.challenge("SHA-256")))) is Verdict.RIGHT
    value = credentials(door.challenge("SHA-256")).replace("algorithm=SHA-256", "algorithm=SHA-256-sess")
    assert door.check(register(value)) is Verdict.WRONG


def test_auth_int_is_wrong() -> None:
    door = Door()
    assert (
        door.check(register(credentials(door.challenge()).replace("qop=auth", "qop=auth-int")))
        is Verdict.WRONG
    )


def test_an_account_without_a_secret_admits_nobody() -> None:
    door = Door(Account({}, ("MD5",)))
    ha2 = digest("MD5", f"REGISTER:{URI}")
    value = credentials(door.challenge())
    params = parse_digest(value)
    assert params is not None
    forged = digest("MD5", f":{params['nonce']}:00000001:cnonce:auth:{ha2}")
    assert door.check(register(value.replace(params["response"], forged))) is Verdict.WRONG


def test_credentials_for_our_realm_are_found_among_others() -> None:
    door = Door()
    other = 'Digest realm="other", username="x", nonce="n", uri="u", response="r"'
    fields: dict[str, Row] = {"Authorization": [other, credentials(door.challenge())]}
    assert door.check(make_request("REGISTER", URI, fields=fields)) is Verdict.RIGHT


def test_remembered_counters_are_forgotten_with_their_nonce() -> None:
    door = Door()
    for _ in range(5):
        assert door.check(register(credentials(door.challenge()))) is Verdict.RIGHT
    assert len(door.server._counts) == 5
    door.now_s = TTL_S + 2
    assert door.check(register(credentials(door.challenge()))) is Verdict.RIGHT
    assert len(door.server._counts) == 1


def test_challenging_remembers_nothing() -> None:
    door = Door()
    rows = [door.challenge() for _ in range(100)]
    for row in rows:
        door.check(register(credentials(row, password="guess")))
    assert len(door.server._counts) == 0
