"""The unit for systemd: what it names is there, and it leaves the switch the time it needs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer

from switch.app import GOODBYE_S
from switch.cli.common import MISUSED
from switch.cli.root import cli
from switch.config.loader import default_config_dir, load_config
from switch.config.model import Calls
from switch.doctor.machine import FileLimits, open_files
from tests.docker.support import DOCKER
from tests.interop.conftest import require

UNIT = DOCKER / "systemd" / "belswitch.service"
PROGRAM = "/opt/belswitch/bin/belswitch"
RECORDS_S = 30
"""How long the last records may take (`switch.app`)."""


@pytest.fixture(scope="module")
def unit() -> ConfigParser:
    # No key of it stands twice, which systemd would take for a list.
    parser = ConfigParser(delimiters="=", interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(UNIT.read_text())
    return parser


def test_its_command_is_one_of_ours(unit: ConfigParser) -> None:
    program, name, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program == PROGRAM
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.commands[name].make_context(name, arguments)
    assert context.params == {"config": Path("/etc") / unit["Service"]["ConfigurationDirectory"]}


def test_its_data_are_where_it_may_write(unit: ConfigParser) -> None:
    service = unit["Service"]
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["StateDirectoryMode"] == "0700"
    assert service["ProtectSystem"] == "strict"


def test_a_stop_is_given_the_time_that_it_takes(unit: ConfigParser) -> None:
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > Calls().stop_wait_s + GOODBYE_S + RECORDS_S
    assert service["KillMode"] == "mixed"  # relays outlive the signal
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_a_wrong_configuration_is_not_tried_again_and_again(unit: ConfigParser) -> None:
    service = unit["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", str(MISUSED))
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def test_its_limit_of_files_carries_the_calls_of_the_configuration(unit: ConfigParser) -> None:
    config = load_config(default_config_dir()).config
    assert config is not None
    files = int(unit["Service"]["LimitNOFILE"])
    assert open_files(config, FileLimits(files, files)).state == "ok"


def test_no_capability_unless_somebody_asks_for_it(unit: ConfigParser) -> None:
    assert unit["Service"]["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert "AmbientCapabilities" not in unit["Service"]
    assert "# AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in UNIT.read_text()
    assert unit["Service"]["NoNewPrivileges"] == "yes"


UNTRIED = 77
WITHOUT_WRITTEN_CODE = f"""
import ctypes, mmap, sys

PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1  # linux/prctl.h, since Linux 6.3
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit({UNTRIED})
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("it is not in force")
except PermissionError:
    pass
import switch.app, switch.net.survey, switch.relay.command
from pylibsrtp import Policy, Session
key = bytes(range(30))
sends = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
reads = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND))
packet = b"\\x80\\x08\\x00\\x01" + bytes(8) + b"sound"
assert reads.unprotect(sends.protect(packet)) == packet
"""


def test_nothing_writes_code_while_it_runs(unit: ConfigParser) -> None:
    """What `MemoryDenyWriteExecute` refuses, as the kernel can refuse it by itself."""
    pytest.importorskip("pylibsrtp")
    assert unit["Service"]["MemoryDenyWriteExecute"] == "yes"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_WRITTEN_CODE], capture_output=True, text=True, cwd=DOCKER.parent
    )
    if done.returncode == UNTRIED:
        pytest.skip("this kernel does not know PR_SET_MDWE")
    assert done.returncode == 0, done.stderr


@pytest.mark.interop
def test_systemd_takes_it(tmp_path: Path) -> None:
    require("systemd-analyze", "systemd")
    text = UNIT.read_text()
    assert text.count(PROGRAM) == 2  # in a comment, and to be started
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(PROGRAM, sys.executable))  # it has to be there
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
