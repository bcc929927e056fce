"""What is handed on: the distributions are whole, and what is said of them in several files is said alike."""

import configparser
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from helpers import SETTINGS

import minitorch_cnn

ROOT, VERSION = SETTINGS.parent, minitorch_cnn.__version__
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "*.egg-info", "runs", "data.tar"
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def settings():
    options = configparser.ConfigParser()
    options.read(SETTINGS, encoding="utf-8")
    return options


def run(*command, **settings):
    done = subprocess.run([sys.executable, "-m", *map(str, command)], capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.elsewhere("what builds distributions")
def test_the_distributions_are_built_and_whole(tmp_path):
    """One test, for they are built once: the source distribution, and the wheel from it."""
    pytest.importorskip("build")
    pytest.importorskip("twine")
    source, out = tmp_path / "source", tmp_path / "dist"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    run("build", "--no-isolation", "--outdir", out, source)
    sdist, wheel = out / f"minitorch_cnn-{VERSION}.tar.gz", out / f"minitorch_cnn-{VERSION}-py3-none-any.whl"
    assert run("twine", "check", "--strict", sdist, wheel, env={**os.environ, "NO_COLOR": "1"}).count("PASSED") == 2

    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert tracked() - packed - {".gitignore"} == set()
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        metadata = archive.read(f"minitorch_cnn-{VERSION}.dist-info/METADATA").decode()
    of_package = {name for name in tracked() if name.startswith("minitorch_cnn/")}
    assert of_package - packed == set() and "minitorch_cnn/py.typed" in packed
    assert {name.split("/")[0] for name in packed} == {"minitorch_cnn", f"minitorch_cnn-{VERSION}.dist-info"}
    assert "License: MIT\n" in metadata and "Description-Content-Type: text/markdown" in metadata


def tracked():
    """The files of the repository; without one, those that are there."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return {name for name in listed.splitlines() if (ROOT / name).exists()}
    return {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.*") if path.suffix in (".py", ".md", ".cu")}


def test_one_version_everywhere():
    assert re.search(r"^version: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == VERSION
    assert f"ruff=={ruff()}\n" in settings()["options.extras_require"]["test"] + "\n"
    assert set(re.findall(r"ruff==([\d.]+)", read(".pre-commit-config.yaml"))) == {ruff()}


def ruff():
    return re.search(r"ruff==([\d.]+)", read("setup.cfg"))[1]


def test_the_workflow_runs_what_is_run_here_on_each_version_of_python():
    workflow = read(".github/workflows/tests.yml")
    versions = re.findall(r"Python :: (3\.\d+)$", settings()["metadata"]["classifiers"], re.MULTILINE)
    assert versions[0] == settings()["options"]["python_requires"].removeprefix(">=")
    every = ", ".join(f'"{version}"' for version in versions)
    assert f"python: [{every}]" in workflow and "- run: .ci/run\n" in workflow and os.access(ROOT / ".ci/run", os.X_OK)


def test_the_oldest_versions_are_those_of_setup_cfg():
    oldest = runpy.run_path(str(ROOT / ".ci" / "oldest"))["oldest"]()
    assert all("==" in requirement for requirement in oldest) and "numpy==2.0" in oldest
    assert len(oldest) == len(settings()["options"]["install_requires"].split()) + 3
