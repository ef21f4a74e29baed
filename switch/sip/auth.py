"""Digest authentication (RFC 7616, RFC 8760), both sides of it.

As server: nonces are stateless (time and salt under a keyed hash), so a flood of first requests costs no
memory; only a nonce that was used with the right password is remembered, for its counter must rise. Known and
unknown users are answered alike, in content and in work. As client: the answer to a trunk's challenge.

HA1 is what is stored of a password, one per algorithm, as lower-case hex of H(user:realm:password).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from switch.malformed import Malformed
from switch.ports import NS_PER_S, Entropy
from switch.sip.message import Request
from switch.sip.uri import parse_uri, unescape

ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PAIR = re.compile(r'\s*([A-Za-z0-9_\-]+)\s*=\s*("[^"\\]*(?:\\.[^"\\]*)*"|[^\s,"]+)\s*(?:,|\Z)')
_HEX = re.compile(r"[0-9a-fA-F]{8}\Z")


def digest(algorithm: str, text: str) -> str:
    """H(text) in hex."""
    return ALGORITHMS[algorithm](text.encode("utf-8", "surrogateescape")).hexdigest()


def ha1(algorithm: str, user: str, realm: str, password: str) -> str:
    """What is stored of a password."""
    return digest(algorithm, f"{user}:{realm}:{password}")


def parse_digest(value: str) -> dict[str, str] | None:
    """The parameters of a `Digest` credential or challenge with lower-case names; None for another scheme
    or bad syntax."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    params: dict[str, str] = {}
    position, rest = 0, rest.strip()
    while position < len(rest):
        match = _PAIR.match(rest, position)
        if match is None:
            return None
        text = match[2]
        if text[0] == '"':
            text = text[1:-1]
            if "\\" in text:
                text = re.sub(r"\\(.)", r"\1", text)
        if params.setdefault(match[1].lower(), text) is not text:
            return None
        position = match.end()
    return params


@dataclass(frozen=True, slots=True)
class Account:
    """What digest needs to know of a user. `ha1` and `algorithms`: what is stored, and what is offered in
    what order, empty for the transport's; `lenient` admits answers without qop and with a digest URI that
    differs from the Request-URI."""

    ha1: Mapping[str, str] = field(repr=False)
    algorithms: tuple[str, ...]
    lenient: bool = False


class Verdict(Enum):
    """What became of credentials."""

    ABSENT = "absent"
    STALE = "stale"
    WRONG = "wrong"
    RIGHT = "right"


class Authenticator:
    """Challenges and checks. `accounts` is asked by user name; an unknown user is given the account of a
    decoy."""

    MAX_USED_NONCES = 100_000

    def __init__(self, *, realm: str, nonce_ttl_s: int, entropy: Entropy) -> None:
        self.realm = realm
        self._ttl_s = nonce_ttl_s
        self._entropy = entropy
        self._secret = entropy.token(256).encode()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def challenge(self, algorithms: tuple[str, ...], now_ns: int, *, stale: bool = False) -> list[str]:
        """WWW-Authenticate rows, one per algorithm in the order offered, with one nonce."""
        nonce = self._make_nonce(now_ns // NS_PER_S)
        tail = ", stale=true" if stale else ""
        return [
            f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in algorithms
        ]

    def check(
        self,
        request: Request,
        params: Mapping[str, str] | None,
        account: Account,
        offered: tuple[str, ...],
        now_ns: int,
    ) -> Verdict:
        """Check the request's `credentials` for our realm against an account and the algorithms it was
        offered.

        Every path for present credentials computes the same digest, whether the user exists or not.
        """
        if params is None:
            return Verdict.ABSENT
        algorithm = params.get("algorithm", "MD5").upper()
        if algorithm not in offered:
            return Verdict.WRONG
        nonce, uri = params.get("nonce", ""), params.get("uri", "")
        qop, nc, cnonce = params.get("qop"), params.get("nc", ""), params.get("cnonce", "")
        secret = account.ha1.get(algorithm, "")
        ha2 = digest(algorithm, f"{request.method}:{uri}")
        if qop is None:
            expected = digest(algorithm, f"{secret}:{nonce}:{ha2}")
        else:
            expected = digest(algorithm, f"{secret}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")
        right = hmac.compare_digest(
            expected.encode(), params.get("response", "").lower().encode("utf-8", "surrogateescape")
        )
        age_s = self._nonce_age_s(nonce, now_ns // NS_PER_S)
        if age_s is None or not secret:
            return Verdict.STALE if age_s is None else Verdict.WRONG
        if not right:
            return Verdict.WRONG
        if qop is None:
            if not account.lenient:
                return Verdict.WRONG
        elif qop.lower() != "auth" or not _HEX.match(nc):
            return Verdict.WRONG
        if not account.lenient and not _same_resource(uri, request.uri):
            return Verdict.WRONG
        if age_s > self._ttl_s:
            return Verdict.STALE
        if qop is not None and not self._count(nonce, int(nc, 16), now_ns // NS_PER_S):
            return Verdict.STALE
        return Verdict.RIGHT

    def credentials(self, request: Request) -> dict[str, str] | None:
        """The digest parameters for our realm, or None. Phones differ in which of the two fields they use."""
        for name in ("Authorization", "Proxy-Authorization"):
            for row in request.rows(name):
                params = parse_digest(row)
                if params is not None and params.get("realm") == self.realm and params.get("username"):
                    return params
        return None

    def _make_nonce(self, now_s: int) -> str:
        head = now_s.to_bytes(5, "big") + self._entropy.token(48).encode()[:8]
        return base64.urlsafe_b64encode(head + self._seal(head)).decode().rstrip("=")

    def _nonce_age_s(self, nonce: str, now_s: int) -> int | None:
        """How old a nonce of ours is; None for one we never made."""
        try:
            raw = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except ValueError:
            return None
        head, seal = raw[:13], raw[13:]
        if len(head) != 13 or not hmac.compare_digest(seal, self._seal(head)):
            return None
        return max(0, now_s - int.from_bytes(head[:5], "big"))

    def _seal(self, head: bytes) -> bytes:
        return hashlib.blake2b(head, digest_size=14, key=self._secret).digest()

    def _count(self, nonce: str, count: int, now_s: int) -> bool:
        """Whether `count` is above every count seen with this nonce."""
        counts = self._counts
        last = counts.get(nonce)
        if last is not None and count <= last[0]:
            return False
        counts[nonce] = (count, now_s) if last is None else (count, last[1])
        while counts:
            _, (_, first_s) = next(iter(counts.items()))
            if len(counts) <= self.MAX_USED_NONCES and now_s - first_s <= self._ttl_s + 1:
                break
            counts.popitem(last=False)
        return True


def _same_resource(digest_uri: str, request_uri: str) -> bool:
    """RFC 7616 section 3.4.6: the digest was made for this Request-URI. One for our host and port as a
    whole, without a user, is taken too: that is what SIPp sends, and it can be used for nothing but this
    host."""
    if unescape(digest_uri) == unescape(request_uri):
        return True
    try:
        made_for, wanted = parse_uri(digest_uri), parse_uri(request_uri)
    except Malformed:
        return False
    return not made_for.user and (made_for.host, made_for.port or 5060) == (wanted.host, wanted.port or 5060)


def answer(
    challenge_rows: list[str], method: str, uri: str, user: str, password: str, cnonce: str, nc: int = 1
) -> str | None:
    """The Authorization value for a challenge, with the strongest algorithm we know; None when there is
    none we can meet."""
    offers = [
        params
        for row in challenge_rows
        if (params := parse_digest(row)) and params.get("algorithm", "MD5").upper() in ALGORITHMS
    ]
    if not offers:
        return None
    params = max(offers, key=lambda offer: offer.get("algorithm", "MD5").upper() == "SHA-256")
    algorithm, realm, nonce = (
        params.get("algorithm", "MD5").upper(),
        params.get("realm", ""),
        params.get("nonce", ""),
    )
    secret = ha1(algorithm, user, realm, password)
    ha2 = digest(algorithm, f"{method}:{uri}")
    head = (
        f"Digest username={_quoted(user)}, realm={_quoted(realm)}, nonce={_quoted(nonce)}, "
        f"uri={_quoted(uri)}, algorithm={algorithm}"
    )
    if "opaque" in params:
        head += f", opaque={_quoted(params['opaque'])}"
    qops = [part.strip() for part in params.get("qop", "").split(",")]
    if "auth" in qops:
        response = digest(algorithm, f"{secret}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}")
        return f'{head}, response="{response}", qop=auth, nc={nc:08x}, cnonce="{cnonce}"'
    if params.get("qop"):
        return None
    return f'{head}, response="{digest(algorithm, f"{secret}:{nonce}:{ha2}")}"'


def _quoted(text: str) -> str:
    """A quoted-string (RFC 3261 section 25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
