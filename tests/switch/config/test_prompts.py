"""Prompts of a configuration: which are found, in which language, and what is wrong with which file."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from switch.config.loader import default_config_dir
from switch.config.prompts import NAMES, RINGBACK, Prompt, Prompts, load_prompts
from switch.relay.recording import read
from tests.switch.relay.sound import record, spectrum

LANGUAGES = ("de", "en", "fr", "nl")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration that speaks Dutch."""
    for name in NAMES:
        write(tmp_path, f"nl/{name}")
    return tmp_path


def write(directory: Path, name: str, seconds: float = 0.1, **form: int) -> Path:
    path = directory / "prompts" / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    return record(path, [0] * round(8000 * seconds), **form)


def faults(directory: Path) -> list[str]:
    prompts, found = load_prompts(directory)
    assert prompts == Prompts(), "all of them, or none"
    return [str(fault) for fault in found]


# --- what comes along ---------------------------------------------------------------------------------------


def test_all_is_said_in_four_languages_and_shortly() -> None:
    prompts, found = load_prompts(default_config_dir())
    assert found == ()
    assert prompts.languages == LANGUAGES
    assert set(prompts.recordings) == {
        *((language, name) for language in LANGUAGES for name in NAMES),
        ("tones", RINGBACK),
    }
    lengths = [prompt.duration_ms for prompt in prompts.recordings.values()]
    assert 1000 < min(lengths) < max(lengths) < 8000
    assert len({Path(prompt.path).read_bytes() for prompt in prompts.recordings.values()}) == len(lengths)


def test_the_ringback_tone_is_that_of_belgium_whatever_the_language() -> None:
    """One second of 425 Hz, three of silence."""
    prompts, _ = load_prompts(default_config_dir())
    ringback = prompts.find(RINGBACK, "nl")
    assert ringback is not None
    assert prompts.find(RINGBACK, "en") is ringback
    samples = read(ringback.path).samples
    assert spectrum(samples[:8000], 425) > 0.99
    assert (len(samples), max(map(abs, samples[8000:]))) == (32_000, 1), "silence but for a rounding"


def test_the_texts_are_those_of_the_names() -> None:
    folder = default_config_dir() / "prompts"
    lines = (folder / "texts.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["name"] for row in rows] == list(NAMES)
    assert all(row[language] for row in rows for language in LANGUAGES)
    assert set(rows[0]) == {"name", *LANGUAGES}


def test_the_script_that_makes_them_says_what_it_lacks(tmp_path: Path) -> None:
    dirname = shutil.which("dirname")
    assert dirname is not None
    (tmp_path / "dirname").symlink_to(dirname)
    script = default_config_dir() / "prompts" / "make-prompts.sh"
    ran = subprocess.run(
        ["/bin/bash", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("espeak-ng sox python3 missing; on Debian")


# --- finding ------------------------------------------------------------------------------------------------


def test_a_prompt_is_found_in_its_language_else_in_english_else_in_any() -> None:
    dutch, english, german = (Prompt(f"/{language}/a.wav", 100) for language in ("nl", "en", "de"))
    prompts = Prompts({("nl", "a"): dutch, ("en", "a"): english, ("de", "b"): german})
    assert prompts.find("a", "nl") is dutch
    assert prompts.find("a", "fr") is english
    assert prompts.find("b", "nl") is german
    assert prompts.find("c", "nl") is None
    assert Prompts().find("a", "nl") is None


def test_one_language_is_enough(directory: Path) -> None:
    prompts, found = load_prompts(directory)
    assert (found, prompts.languages) == ((), ("nl",))
    congestion = prompts.find("congestion", "fr")
    assert congestion == Prompt(str(directory / "prompts/nl/congestion.wav"), 100)
    assert prompts.find(RINGBACK, "nl") is None


def test_paths_are_absolute_whatever_the_configuration_was_called_by(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    prompts, _ = load_prompts(Path("."))
    assert all(Path(prompt.path).is_absolute() for prompt in prompts.recordings.values())


def test_no_directory_says_nothing_and_is_no_fault(tmp_path: Path) -> None:
    assert load_prompts(tmp_path) == (Prompts(), ())
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "README.md").write_text("later")
    assert load_prompts(tmp_path) == (Prompts(), ())


# --- faults -------------------------------------------------------------------------------------------------


def test_every_fault_of_every_file_at_once(directory: Path) -> None:
    write(directory, "nl/congestion", rate=44_100, channels=2)
    write(directory, "nl/call-marked", width=1)
    write(directory, "nl/cap-reached", 0)
    write(directory, "nl/forward-set", 20.1)
    (directory / "prompts/nl/service-on.wav").write_bytes(b"RIFF")
    (directory / "prompts/nl/service-off.wav").unlink()
    write(directory, "nl/congestoin")
    form = "must be 8000 Hz, 16 bit, 1 channel; it is"
    assert faults(directory) == [
        f"prompts/nl/call-marked.wav: {form} 8000 Hz, 8 bit, 1 channel",
        "prompts/nl/cap-reached.wav: holds no sound",
        f"prompts/nl/congestion.wav: {form} 44100 Hz, 16 bit, 2 channels",
        f"prompts/nl/congestoin.wav: is never played; the names known are {', '.join(NAMES)}",
        "prompts/nl/forward-set.wav: must not be longer than 20 s; it is 21 s",
        "prompts/nl/service-off.wav: is missing; nl has every name or is left out",
        "prompts/nl/service-on.wav: is not a WAV file",
    ]


def test_a_language_has_all_names(directory: Path) -> None:
    write(directory, "fr/congestion")
    assert len(faults(directory)) == len(NAMES) - 1
    assert all(fault.startswith("prompts/fr/") and "is missing" in fault for fault in faults(directory))


def test_tones_have_their_own_names(directory: Path) -> None:
    write(directory, "tones/congestion")
    assert faults(directory) == [
        "prompts/tones/congestion.wav: is never played; the names known are ringback",
        "prompts/tones/ringback.wav: is missing; tones has every name or is left out",
    ]


def test_what_is_no_language(directory: Path) -> None:
    write(directory, "dutch/congestion")
    assert faults(directory) == ['prompts/dutch: is neither a language of two small letters nor "tones"']


def test_what_cannot_be_read(directory: Path) -> None:
    path = directory / "prompts/nl/congestion.wav"
    path.unlink()
    path.symlink_to(directory / "nowhere.wav")
    assert faults(directory) == ["prompts/nl/congestion.wav: cannot be read: No such file or directory"]
    path.unlink()
    path.mkdir()
    assert faults(directory) == ["prompts/nl/congestion.wav: is not a file"]
    shutil.rmtree(directory / "prompts")
    (directory / "prompts").write_text("no directory")
    assert faults(directory) == ["prompts: cannot be read: Not a directory"]
