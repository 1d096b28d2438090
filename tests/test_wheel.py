"""The wheel, installed elsewhere, searches outside the checkout."""

import configparser
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    """The checkout would not tell: it finds packages that a wheel lacks."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = set(settings["options"]["packages"].split())
    there = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "nni_emodarts").rglob("*.py")}
    assert listed == there | {"nni_emodarts.search_spaces", "nni_emodarts.trials"}


def test_no_two_modules_of_tests_have_one_name() -> None:
    """pytest imports each by its bare name, and refuses the second."""
    names = [file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.slow
def test_the_wheel_searches_outside_the_checkout(tmp_path: Path, small_manifest: Path, fast_words: list[str]) -> None:
    words = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("nni_emodarts-*.whl")
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")}))
    install = ["pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    # The libraries come from this environment; a plain path in a .pth file does not bring its editable install along.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    where = "import nni_emodarts.trials as t, nni_emodarts as p; print(p.__file__); print(t.__file__)"
    there = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    found = subprocess.run([python, "-c", where], check=True, **there)
    assert all(line.startswith(str(site)) for line in found.stdout.split())
    out = tmp_path / "out"
    command = [python, "-m", "nni_emodarts", "search", "--manifest", small_manifest, "--preset", "tiny", "--out", out]
    command += fast_words
    subprocess.run(command, check=True, **there)
    assert json.loads((out / "metrics.json").read_text())["val_uar"] >= 0
    words = ["experiment", "--manifest", str(small_manifest), "--protocol", "kfold:3", "--out", "my.yml"]
    subprocess.run([python, "-m", "nni_emodarts", *words], check=True, **there)
    assert str(site) in (tmp_path / "my.yml").read_text()
