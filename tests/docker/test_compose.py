"""compose.yaml holds together: with the Dockerfile, the configuration in the image and what it mounts."""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from switch.config.lines import LineEntry
from switch.lab.world import lab_lines
from tests.docker.support import DOCKER, PROMETHEUS, ROOT, dockerfile, load

COMPOSE: dict[str, Any] = load(DOCKER / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LAB = {name for name, service in SERVICES.items() if "profiles" in service}
SETTINGS = tomllib.loads((DOCKER / "belswitch" / "switch.toml").read_text())
OWN = SETTINGS["sip"]["advertised_host"]

every_service = pytest.mark.parametrize("name", SERVICES)


def address(name: str) -> str:
    """The fixed address of a service."""
    return str(SERVICES[name]["networks"]["telephony"]["ipv4_address"])


def option(name: str, word: str) -> str:
    """What follows a word of a service's command."""
    command = SERVICES[name]["command"]
    return str(command[command.index(word) + 1])


def test_every_yaml_file_can_be_read() -> None:
    files = [*DOCKER.rglob("*.yml"), *DOCKER.rglob("*.yaml")]
    assert len(files) > 8
    assert all(load(path) for path in files)


def test_the_lab_stays_out_unless_it_is_asked_for() -> None:
    assert SERVICES.keys() - LAB == {"belswitch", "prometheus", "grafana"}
    assert all(SERVICES[name]["profiles"] == ["lab"] for name in LAB)


def test_ports_are_those_of_the_configuration() -> None:
    listen = {
        f"{one['port']}:{one['port']}/{one.get('transport', 'udp')}" for one in SETTINGS["sip"]["listen"]
    }
    first, last = (SETTINGS["media"]["ports"][end] for end in ("first", "last"))
    assert set(SERVICES["belswitch"]["ports"]) == listen | {f"{first}-{last}:{first}-{last}/udp"}
    admin = SETTINGS["admin"]["port"]
    (words,) = [step.rest for step in dockerfile(DOCKER / "Dockerfile") if step.word == "EXPOSE"]
    sip = {port.partition(":")[2] for port in listen}
    assert set(words.split()) == sip | {f"{admin}/tcp", f"{first}-{last}/udp"}


def test_what_is_for_operators_is_published_to_this_machine_only() -> None:
    for name in ("prometheus", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])
    assert not any("ports" in SERVICES[name] for name in LAB)


def test_prometheus_scrapes_the_switch() -> None:
    (job,) = load(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    (static,) = job["static_configs"]
    assert static["targets"] == [f"belswitch:{SETTINGS['admin']['port']}"]
    assert job["job_name"] == "belswitch"


def test_addresses_are_of_the_network_and_each_is_given_once() -> None:
    (pool,) = COMPOSE["networks"]["telephony"]["ipam"]["config"]
    fixed = [address(name) for name in SERVICES if isinstance(SERVICES[name].get("networks"), dict)]
    assert len(set(fixed)) == len(fixed)
    assert all(ip_address(one) in ip_network(pool["subnet"]) for one in fixed)
    assert address("belswitch") == OWN == SETTINGS["sip"]["domain"]
    assert SETTINGS["media"]["hosts"][0]["advertised_host"] == OWN


def test_the_lab_stands_where_the_configuration_looks_for_it() -> None:
    (trunk,) = tomllib.loads((DOCKER / "belswitch" / "trunks.toml").read_text())["trunk"]
    assert (trunk["host"], trunk.get("port", 5060)) == (address("carrier"), int(option("carrier", "-p")))
    gateways = tomllib.loads((DOCKER / "belswitch" / "emergency" / "gateways.toml").read_text())["gateway"]
    assert [gateway["host"] for gateway in gateways] == [address("centre-1"), address("centre-2")]
    for gateway, name in zip(gateways, ("centre-1", "centre-2"), strict=True):
        assert gateway["port"] == int(option(name, "-p"))
    for name in LAB - {"lines"}:
        assert option(name, "-i") == address(name)


def test_callers_are_lines_of_the_lab() -> None:
    lines: dict[str, LineEntry] = {line.user: line for line in lab_lines(ROOT / "config")}
    for name in ("caller", "caller-for-help"):
        line = lines[option(name, "-au")]
        assert line.password is not None
        assert option(name, "-ap") == line.password.get_secret_value()
        assert SERVICES[name]["command"][0] == f"{OWN}:5060"
        assert SERVICES[name]["depends_on"]["lines"]["condition"] == "service_completed_successfully"


@every_service
def test_what_is_mounted_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (DOCKER / source).exists(), mount
            assert mount.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"], mount


def test_an_image_of_our_own_is_built_once_and_never_looked_for() -> None:
    built = {service["image"]: service for service in SERVICES.values() if "build" in service}
    assert len(built) == sum("build" in service for service in SERVICES.values())
    for service in built.values():
        context = (DOCKER / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
        assert service["pull_policy"] == "build"
    for service in SERVICES.values():
        if "build" not in service and service["image"] in built:
            assert service["pull_policy"] == "never"
        elif "build" not in service:
            assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])


@every_service
def test_nobody_is_root_or_privileged(name: str) -> None:
    service = SERVICES[name]
    assert not {"user", "privileged", "cap_add", "devices"} & service.keys()
    if name not in LAB:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@every_service
def test_no_secret_is_written_down(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN", key):
            assert re.fullmatch(r"\$\{\w+:\?.+\}", value), key


def test_the_switch_has_time_to_say_goodbye() -> None:
    grace_s = int(SERVICES["belswitch"]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= SETTINGS["calls"]["stop_wait_s"] + 10


def test_the_readme_names_files_and_services_that_are_there() -> None:
    text = (DOCKER / "README.md").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert Path(DOCKER, link).exists(), link
    for name in re.findall(r"compose [^\n]*exec (\S+)", text):
        assert name in SERVICES
