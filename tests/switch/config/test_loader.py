"""Configuration: the one that comes along, and every fault with its file, line, key and what is allowed."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from switch.config.loader import Loaded, default_config_dir, load_config
from switch.config.model import Config, Listen, MediaHost, PortRange, Sip, web_url

SETTINGS = """\
[sip]
domain = "switch.example"
[[sip.listen]]
host = "127.0.0.1"
"""
TRUNK = """\
[[trunk]]
name = "carrier"
host = "carrier.example"
"""


ABROAD = """\
[[trunk]]
name = "abroad"
host = "abroad.example"
international = true
"""


class Folder:
    """A configuration directory under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(SETTINGS)

    def write(self, text: str, name: str = "switch.toml") -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def load(self, **environ: str) -> Loaded:
        return load_config(self.path, environ)

    def config(self, **environ: str) -> Config:
        loaded = self.load(**environ)
        assert loaded.config is not None, loaded.faults
        assert loaded.faults == ()
        return loaded.config

    def faults(self, **environ: str) -> list[str]:
        loaded = self.load(**environ)
        assert loaded.config is None
        return [str(fault) for fault in loaded.faults]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# --- what is right ------------------------------------------------------------------------------------------


def test_the_configuration_that_comes_along_is_the_lab_on_loopback() -> None:
    loaded = load_config(default_config_dir())
    assert loaded.faults == ()
    assert loaded.config is not None
    assert loaded.config.sip.listen == (Listen(host="127.0.0.1", port=5060),)
    assert [trunk.name for trunk in loaded.config.trunks] == ["carrier"]


def test_a_few_lines_suffice(folder: Folder) -> None:
    config = folder.config()
    assert config.trunks == ()
    assert (config.sip.realm, config.sip.digest.udp) == ("switch.example", ("MD5",))
    assert config.emergency.unknown_sources == "known_aor"
    assert config.calls.max_s == 7200
    assert config.media.hosts[0].advertised == "127.0.0.1"
    assert len(config.media.ports.pairs) == 8192


def test_the_configuration_does_not_change(folder: Folder) -> None:
    config = folder.config()
    with pytest.raises(ValidationError, match="frozen"):
        config.sip.domain = "elsewhere.example"  # type: ignore[misc]


def test_trunks_keep_their_order_and_sources(folder: Folder) -> None:
    second = TRUNK.replace('"carrier"', '"abroad"') + 'sources = ["198.51.100.0/28", "2001:db8::1"]\n'
    folder.write(TRUNK + second, "trunks.toml")
    trunks = folder.config().trunks
    assert [trunk.name for trunk in trunks] == ["carrier", "abroad"]
    assert trunks[0].sources == ()
    assert trunks[1].sources == (ip_network("198.51.100.0/28"), ip_network("2001:db8::1/128"))


def test_advertised_addresses_make_wildcards_usable(folder: Folder) -> None:
    folder.write(
        SETTINGS.replace("127.0.0.1", "0.0.0.0").replace("[sip]", '[sip]\nadvertised_host = "192.0.2.10"')
        + '[[media.hosts]]\nhost = "::"\nadvertised_host = "2001:db8::10"\n'
    )
    config = folder.config()
    assert config.sip.advertised_host == "192.0.2.10"
    assert config.media.hosts == (MediaHost(host="::", advertised_host="2001:db8::10"),)


def test_ports_come_in_pairs() -> None:
    assert list(PortRange(first=4000, last=4005).pairs) == [4000, 4002, 4004]


# --- what is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("[sip.digest]\nudp = []", "6: sip.digest.udp: must be a list of 1-2"),
        ('[sip.digest]\nudp = ["SHA-1"]', '6: sip.digest.udp[0]: must be "MD5" or "SHA-256"'),
        ('[sip.digest]\nudp = ["MD5", "MD5"]', "6: sip.digest.udp[1]: MD5 is there already"),
        ("[[sip.listen]]\nport = 1", "5: sip.listen[1].host: is missing; must be an IPv4 or IPv6 address"),
        ('[[sip.listen]]\nhost = "localhost"', "6: sip.listen[1].host: must be an IPv4 or IPv6 address"),
        ('[[sip.listen]]\nhost = "::1"\nport = 0', "7: sip.listen[1].port: must be 1-65535"),
        (
            '[[sip.listen]]\nhost = "::1"\nport = "1"',
            "7: sip.listen[1].port: must be a whole number, 1-65535",
        ),
        (
            '[[sip.listen]]\nhost = "::1"\nport = true',
            "7: sip.listen[1].port: must be a whole number, 1-65535",
        ),
        (
            '[[sip.listen]]\nhost = "::1"\ntransport = "sctp"',
            '7: sip.listen[1].transport: must be "udp" or "tcp" or "tls" or "ws" or "wss"',
        ),
        (
            '[[sip.listen]]\nhost = "::1"\ntransport = "tls"',
            "7: sip.listen[1].transport: tls needs a certificate: sip.tls",
        ),
        (
            '[[sip.listen]]\nhost = "::1"\ntransport = "tcp"\n[[sip.listen]]\nhost = "::1"\ntransport = "ws"',
            "8: sip.listen[2]: ::1 port 5060 is taken by an earlier entry",
        ),
        (
            '[[sip.listen]]\nhost = "127.0.0.1"',
            "5: sip.listen[1]: 127.0.0.1 port 5060 is taken by an earlier entry",
        ),
        (
            '[[sip.listen]]\nhost = "::"',
            "6: sip.listen[1].host: :: is every address: sip.advertised_host is needed",
        ),
        (
            '[[sip.listen]]\nhost = "127.0.0.1"\nport = 20000',
            "7: sip.listen[1].port: lies within media.ports, 16384-32767",
        ),
        ("[media.ports]\nfirst = 16385", "6: media.ports.first: must be even, as RTP ports are"),
        ("[media.ports]\nlast = 20000", "6: media.ports.last: must be odd: the RTCP port of the last pair"),
        ("[media.ports]\nlast = 16385", "6: media.ports.last: must be at least 16387: a call takes 4 ports"),
        (
            "[media.ports]\nlast = 16483",
            "0: calls.max_calls: must be at most 25: media.ports 16384-16483 carries no more calls",
        ),
        (
            "[[media.hosts]]\nhost = '0.0.0.0'",
            "6: media.hosts[0].host: 0.0.0.0 is every address: advertised_host is",
        ),
        (
            "[[media.hosts]]\nhost = '::1'\n[[media.hosts]]\nhost = '::2'",
            "8: media.hosts[1].host: one IPv6 address is there already",
        ),
        (
            "[[media.hosts]]\nhost = '::1'\nadvertised_host = '127.0.0.1'",
            "7: media.hosts[0].advertised_host: must be an IPv6 address, as host is",
        ),
        ("[media]\nsilence_s = -1", "6: media.silence_s: must be 0-86400"),
        ("[calls]\nmax_s = 1e3", "6: calls.max_s: must be a whole number, 1-86400"),
        ("[calls]\nstop = 'later'", '6: calls.stop: must be "wait" or "end"'),
        ("[store]\ndirectory = 7", "6: store.directory: must be a directory"),
        ("[admin]\nsocket = '/run/x'", "6: admin.socket: must be a name of 1-40 characters a-z 0-9 _ . -"),
        (
            "[emergency]\nunknown_sources = 'all'",
            '6: emergency.unknown_sources: must be "never" or "known_aor" or',
        ),
        ("[log]\nlevel = 1979-05-27", '6: log.level: must be "debug" or "info" or "warning" or "error"'),
        ("[log]\nfile = 'x'", "6: log.file: unknown key; known here: level, format"),
        (
            "[logs]",
            "5: logs: unknown key; known here: sip, media, calls, lines, store, admin, ",
        ),
        (
            "[notices]\nsecret = 'file:none'",
            "6: notices.secret: signs nothing: webhook is missing",
        ),
    ],
)
def test_a_wrong_setting_is_refused_where_it_stands(folder: Folder, section: str, fault: str) -> None:
    folder.write(f"{SETTINGS}{section}\n")
    (found,) = folder.faults()
    assert found.startswith(f"switch.toml:{fault}".replace(":0:", ":"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"switch.example"', '"no domain"', "2: sip.domain: must be a host name or an IP address"),
        ("[sip]", "[sip]\nt1_ms = 5000", "2: sip.t1_ms: must be at most t2_ms, 4000"),
        (
            "[sip]",
            "[sip]\nregister_max_s = 1800",
            "1: sip.register_default_s: must be 60-1800, register_min_s to",
        ),
        (
            "[sip]",
            "[sip]\nadvertised_host = '::'",
            "2: sip.advertised_host: must be an address that others can",
        ),
        ("[sip]", "[sip]\nrealm = 'a\"b'", '2: sip.realm: must be 1-100 ASCII characters but " \\'),
        ("[sip]", "[sip]\nuser_agent = 'a\\r\\nb'", "2: sip.user_agent: must be 1-100 ASCII"),
        (SETTINGS, "", "0: sip: is missing; must be a table"),
        (SETTINGS, "sip = 1", "1: sip: must be a table"),
        ('[[sip.listen]]\nhost = "127.0.0.1"', "listen = []", "3: sip.listen: must be a list of 1-32"),
        ('"switch.example"', "", "2: is not TOML: Invalid value"),
        ('domain = "switch.example"', "domain = 1\ndomain = 2", "3: is not TOML: Cannot overwrite a value"),
        ('host = "127.0.0.1"\n', 'host = "127.0.0.1', "4: is not TOML: "),
    ],
)
def test_a_wrong_file_is_refused_where_it_is_wrong(folder: Folder, old: str, new: str, fault: str) -> None:
    folder.write(SETTINGS.replace(old, new, 1))
    (found,) = folder.faults()
    assert found.startswith(f"switch.toml:{fault}".replace(":0:", ":"))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("port = 70000", "4: trunk[0].port: must be 1-65535"),
        (
            'sources = ["192.0.2.1/24"]',
            "4: trunk[0].sources[0]: must be an IP address or a network, 192.0.2.0/24",
        ),
        ("sources = [7]", "4: trunk[0].sources[0]: must be an IP address or a network, 192.0.2.0/24"),
        ('prefixes = ["32"]', "4: trunk[0].prefixes[0]: must be the first digits of numbers, like +32"),
        ('username = "us"', "4: trunk[0].username: username and password belong together"),
        ('password = "geheim"', "4: trunk[0].password: username and password belong together"),
        ("international = 1", "4: trunk[0].international: must be true or false"),
        (TRUNK, "5: trunk[1].name: carrier is the name of an earlier trunk"),
        (
            f"sources = ['192.0.2.0/24']\n{ABROAD}sources = ['192.0.2.1']\n",
            "9: trunk[1].sources: overlap those of carrier: one is international",
        ),
        (
            TRUNK.replace('"carrier"', '"loop"').replace("carrier.example", "127.0.0.1"),
            "6: trunk[1].host: is this",
        ),
    ],
)
def test_a_wrong_trunk_is_refused_where_it_stands(folder: Folder, more: str, fault: str) -> None:
    folder.write(f"{TRUNK}{more}\n", "trunks.toml")
    (found,) = folder.faults()
    assert found.startswith(f"trunks.toml:{fault}")


def test_all_faults_of_all_files_come_together_and_in_order(folder: Folder) -> None:
    folder.write(SETTINGS.replace('"127.0.0.1"', '"here"\nport = 0') + "[calls]\nring_s = 0\n")
    folder.write('[[trunk]]\nname = "A"\n', "trunks.toml")
    folder.write("", "trunk.toml")
    assert folder.faults() == [
        "switch.toml:4: sip.listen[0].host: must be an IPv4 or IPv6 address",
        "switch.toml:5: sip.listen[0].port: must be 1-65535",
        "switch.toml:7: calls.ring_s: must be 1-86400",
        "trunk.toml: is not read; the files known are switch.toml, trunks.toml and fraud.toml",
        "trunks.toml:1: trunk[0].host: is missing; must be a host name or an IP address",
        "trunks.toml:2: trunk[0].name: must be a name of 1-40 characters a-z 0-9 _ . -",
    ]


def test_a_file_that_cannot_be_read_is_a_fault(folder: Folder) -> None:
    (folder.path / "switch.toml").write_bytes(b"[sip]\ndomain = '\xff'\n")
    (folder.path / "trunks.toml").mkdir()
    assert folder.faults() == ["switch.toml:2: is not UTF-8", "trunks.toml: cannot be read: Is a directory"]
    (folder.path / "switch.toml").unlink()
    assert folder.faults()[0] == "switch.toml: cannot be read: No such file or directory"


def test_a_directory_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (fault,) = load_config(tmp_path / "none").faults
    assert str(fault).endswith("none: is not a directory")


@settings(max_examples=40)
@given(
    value=st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.lists(st.integers()))
)
def test_no_value_raises_anything_but_a_fault(
    tmp_path_factory: pytest.TempPathFactory, value: str | float | bool | list[int]
) -> None:
    folder = Folder(tmp_path_factory.getbasetemp())
    literal = repr(value).replace("True", "true").replace("False", "false")
    for key in ("sip.t1_ms", "sip.advertised_host", "sip.digest", "media.hosts", "store.directory"):
        folder.write(f"{key} = {literal}\n[calls]\n")
        loaded = folder.load()
        assert loaded.config is None
        assert {fault.file for fault in loaded.faults} == {"switch.toml"}


# --- secrets ------------------------------------------------------------------------------------------------

REGISTERED = TRUNK + 'username = "us"\npassword = "{}"\n'


def _password(config: Config) -> str:
    (trunk,) = config.trunks
    assert trunk.password is not None
    return trunk.password.get_secret_value()


def test_a_password_comes_from_the_file_the_variable_or_the_configuration(folder: Folder) -> None:
    folder.write("geheim\n", "carrier.secret")
    folder.write(REGISTERED.format("file:carrier.secret"), "trunks.toml")
    assert _password(folder.config()) == "geheim"
    folder.write(REGISTERED.format("env:CARRIER"), "trunks.toml")
    assert _password(folder.config(CARRIER="geheim")) == "geheim"
    folder.write(REGISTERED.format("geheim"), "trunks.toml")
    assert _password(folder.config()) == "geheim"


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("file:geheim", "the file it names cannot be read: No such file or directory"),
        ("env:geheim", "is empty, or names an empty or missing variable or file"),
        ("", "is empty, or names an empty or missing variable or file"),
    ],
)
def test_a_password_that_is_not_to_be_had_is_a_fault(folder: Folder, reference: str, fault: str) -> None:
    folder.write(REGISTERED.format(reference), "trunks.toml")
    assert folder.faults() == [f"trunks.toml:5: trunk[0].password: {fault}"]


NOTICES = '[notices]\nwebhook = "{}"\nsecret = "{}"\n'
HOOK = "https://notices.example/belswitch"


def _notices(config: Config) -> tuple[str | None, str | None]:
    secret = config.notices.secret
    return config.notices.webhook, secret.get_secret_value() if secret is not None else None


def test_notices_go_nowhere_unless_told_to(folder: Folder) -> None:
    assert _notices(folder.config()) == (None, None)
    folder.write(f'{SETTINGS}[notices]\nwebhook = "{HOOK}"\n')
    assert _notices(folder.config()) == (HOOK, None)


def test_what_signs_notices_is_found_as_a_password_is(folder: Folder) -> None:
    folder.write("geheim\n", "webhook.secret")
    for reference in ("file:webhook.secret", "env:HOOK", "geheim"):
        folder.write(SETTINGS + NOTICES.format(HOOK, reference))
        assert _notices(folder.config(HOOK="geheim")) == (HOOK, "geheim")


def test_a_secret_of_notices_that_is_not_to_be_had_is_a_fault_beside_the_others(folder: Folder) -> None:
    folder.write(SETTINGS + NOTICES.format(HOOK, "env:geheim"))
    folder.write(REGISTERED.format("env:geheim"), "trunks.toml")
    assert folder.faults() == [
        "switch.toml:7: notices.secret: is empty, or names an empty or missing variable or file",
        "trunks.toml:5: trunk[0].password: is empty, or names an empty or missing variable or file",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://[2001:db8::1]:8080/notices",
        "https://notices.example/hook/?token=geheim&kind=cap",
        "HTTPS://Notices.example:8443/",
    ],
)
def test_a_webhook_is_taken_as_it_stands(folder: Folder, url: str) -> None:
    folder.write(SETTINGS + NOTICES.format(url, "geheim"))
    assert _notices(folder.config()) == (url, "geheim")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "notices.example/geheim",
        "//notices.example/geheim",
        "ftp://notices.example/geheim",
        "https:///geheim",
        "https://user:geheim@notices.example/",
        "https://geheim@notices.example/",
        "https://@notices.example/geheim",
        "https://notices.example/#geheim",
        "https://notices.example:0/geheim",
        "https://notices.example:65536/geheim",
        "https://notices.example:geheim/",
        "https://no_host/geheim",
        "https://[::1/geheim",
        "https://notices.example/geheim\\r\\nHost: x",
        "https://notices.example/ geheim",
        "https://notices.exämple/geheim",
        "https://notices.example/" + 2000 * "x",
    ],
)
def test_a_webhook_that_is_none_is_a_fault_that_does_not_repeat_it(folder: Folder, url: str) -> None:
    folder.write(SETTINGS + NOTICES.format(url, "geheim"))
    assert folder.faults() == [
        "switch.toml:6: notices.webhook: must be an http or https URL without user, "
        "https://example.com/notices"
    ]
    with pytest.raises(ValueError, match="not an http or https URL without user") as caught:
        web_url(url.replace("\\r\\n", "\r\n"))
    assert "geheim" not in str(caught.value)


def test_neither_the_webhook_nor_its_secret_shows_in_the_configuration(folder: Folder) -> None:
    folder.write(SETTINGS + NOTICES.format(f"{HOOK}?token=geheim", "geheim"))
    config = folder.config()
    assert "geheim" not in repr(config) + str(config)


def test_no_secret_shows_in_a_fault_or_in_the_configuration(folder: Folder) -> None:
    folder.write(REGISTERED.format("geheim") + "port = 0\n", "trunks.toml")
    assert "geheim" not in repr(folder.load())
    folder.write(REGISTERED.format("geheim").replace('"us"', "1"), "trunks.toml")
    assert "geheim" not in repr(folder.load())
    folder.write(REGISTERED.format("geheim"), "trunks.toml")
    config = folder.config()
    assert "geheim" not in repr(config) + str(config) + config.model_dump_json()
    with pytest.raises(ValidationError) as caught:
        Sip.model_validate({"listen": "geheim"})
    assert "geheim" not in str(caught.value)
