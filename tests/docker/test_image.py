"""The image: what goes into it, who runs in it; and its steps of installation, carried out in a folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.docker.support import DOCKER, ROOT, Step, dockerfile, load
from tests.interop.conftest import missing

STEPS = dockerfile(DOCKER / "Dockerfile")
BUILD, FINAL = 0, 1
OFFLINE = re.compile(r"NewConnectionError|NameResolutionError|Temporary failure|ProxyError|ConnectTimeout")


def of(stage: int, word: str) -> list[str]:
    """What follows a word in a stage."""
    return [step.rest for step in STEPS if (step.stage, step.word) == (stage, word)]


def copies(steps: list[Step]) -> list[tuple[list[str], str]]:
    """What is copied from the repository, and where to."""
    words = [step.rest.split() for step in steps if step.word == "COPY" and "--from" not in step.rest]
    return [(one[:-1], one[-1]) for one in words]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path from the builder; the last rule that fits counts."""
    out = False
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = rule.removeprefix("!")
        if rule and not rule.startswith("#"):
            parts = path.split("/")
            whole = [part if pattern[:3] == "**/" else "/".join(parts[:n]) for n, part in enumerate(parts, 1)]
            if any(fnmatch(one, pattern.removeprefix("**/")) for one in whole):
                out = not rule.startswith("!")
    return out


def carry_out(steps: list[Step], root: Path) -> None:
    """COPY and RUN of a stage with `root` in the place of /; WORKDIR is where they are."""
    here = root
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for step in steps:
        match step.word:
            case "WORKDIR":
                here = root / step.rest.lstrip("/")
                here.mkdir(parents=True, exist_ok=True)
            case "COPY":
                for sources, target in copies([step]):
                    for source in sources:
                        copy(ROOT / source, here / target if target[0] != "/" else root / target.lstrip("/"))
            case "RUN":
                command = re.sub(r"(?<=\s)/(?=opt/|dist\b)|^/(?=opt/)", f"{root}/", step.rest)
                done = subprocess.run(
                    ["sh", "-ec", command],
                    cwd=here,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=False,
                    env={"PATH": path, "HOME": os.environ.get("HOME", str(root)), **pip_settings()},
                )
                if done.returncode and OFFLINE.search(done.stderr):
                    missing("packages cannot be had: the registry is not reached")
                assert done.returncode == 0, f"{step.rest}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


def pip_settings() -> dict[str, str]:
    """How pip is told of this machine's ways; nothing of a virtual environment."""
    kept = re.compile(r"PIP_|https?_proxy$|no_proxy$|(REQUESTS_CA|CURL_CA|SSL_CERT)", re.I)
    return {name: value for name, value in os.environ.items() if kept.match(name)}


def copy(source: Path, target: Path) -> None:
    """As COPY does: what is in a folder, or a file into one."""
    if source.is_dir():
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=leave)
    else:
        shutil.copy(source, target / source.name if target.is_dir() else target)


def test_it_has_two_stages_of_one_base() -> None:
    assert [step.rest for step in STEPS if step.word == "FROM"] == [
        "python:${PYTHON} AS build",
        "python:${PYTHON}",
    ]
    (version,) = of(-1, "ARG")
    assert re.fullmatch(r"PYTHON=3\.1[12]-slim-\w+", version)


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    for path in (DOCKER / "Dockerfile", DOCKER / "sipp" / "Dockerfile"):
        for sources, _ in copies(dockerfile(path)):
            for source in sources:
                assert (ROOT / source).exists(), source
                assert not ignored(source), source


def test_what_is_not_for_the_image_does_not_reach_the_builder() -> None:
    for path in (".git", ".venv", "tests", "docker/compose.yaml", "belswitch-data", "switch/__pycache__"):
        assert ignored(path), path


def test_all_of_the_wheel_is_copied() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {source for sources, _ in copies(STEPS) for source in sources}
    assert {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "README.md", "LICENSE"} <= copied


def test_nothing_is_installed_that_is_not_locked() -> None:
    installs = [run for run in of(BUILD, "RUN") if " install " in run]
    assert all(
        "--require-hashes --requirement requirements.lock" in run or "--no-index" in run for run in installs
    )
    text = " ".join([*of(BUILD, "RUN"), *of(FINAL, "RUN")])
    assert not re.search(r"apt-get|gcc|build-essential|curl|wget", text)


def test_the_switch_is_not_root_and_writes_in_its_volume_only() -> None:
    (user,) = of(FINAL, "USER")
    number = user.partition(":")[0]
    assert user == f"{number}:{number}"
    assert int(number) > 1000
    (run,) = of(FINAL, "RUN")
    assert f"--uid {number} " in run
    settings = tomllib.loads((DOCKER / "belswitch" / "switch.toml").read_text())
    data = settings["store"]["directory"]
    assert of(FINAL, "VOLUME") == of(FINAL, "WORKDIR") == [data]
    assert f"--mode 0700 {data}" in run
    assert f"belswitch-data:{data}" in load(DOCKER / "compose.yaml")["services"]["belswitch"]["volumes"]


def test_health_is_asked_where_the_switch_answers() -> None:
    (check,) = of(FINAL, "HEALTHCHECK")
    port = tomllib.loads((DOCKER / "belswitch" / "switch.toml").read_text())["admin"]["port"]
    assert f"http://127.0.0.1:{port}/healthz" in check
    command = json.loads(check.partition("CMD ")[2])
    compile(command[-1], "HEALTHCHECK", "exec")


@pytest.mark.interop
@pytest.mark.timeout(400)
def test_its_steps_install_a_switch_that_takes_its_configuration(tmp_path: Path) -> None:
    """COPY and RUN of the first stage, COPY of the second, then `belswitch check` as the container has it."""
    carry_out([step for step in STEPS if step.stage == BUILD], tmp_path)
    last = [
        step for step in STEPS if step.stage == FINAL and step.word == "COPY" and "--from" not in step.rest
    ]
    (tmp_path / "etc").mkdir()
    carry_out(last, tmp_path)
    (start,) = of(FINAL, "ENTRYPOINT")
    binary = tmp_path / "opt" / "belswitch" / "bin" / json.loads(start)[0]
    environment = {"PATH": "/usr/bin:/bin", "BELSWITCH_CONFIG": str(tmp_path / "etc" / "belswitch")}
    assert "BELSWITCH_CONFIG=/etc/belswitch" in shlex.split(of(FINAL, "ENV")[0])

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [binary, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    facts = json.loads(run("check", "--json"))
    assert facts["ok"] is True
    assert facts["listen"] == ["udp 0.0.0.0:5060", "tcp 0.0.0.0:5060"]
    assert facts["prompts"] == ["de", "en", "fr", "nl"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run("--version").strip() == f"belswitch {version}"
    where = "import switch, pylibsrtp; print(switch.__file__)"
    python = binary.with_name("python")
    found = subprocess.run(
        [python, "-c", where], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert Path(found.stdout.decode().strip()).is_relative_to(tmp_path)
    assert not binary.with_name("pip").exists()
