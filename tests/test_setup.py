"""What is built, installed, uninstalled, and what it leaves alone."""

from __future__ import annotations

import configparser
import ensurepip
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from test_autoload import PTH, ROOT

import datumaro_openimages_plugin

SOURCES = ("MANIFEST.in", "README.md", "LICENSE", "pyproject.toml", "setup.cfg", "setup.py")
PACKAGE = "datumaro_openimages_plugin"
BUILD = "import setuptools.build_meta as b, sys; b.build_{}(sys.argv[1])"


def run(*command: object, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source distribution, made of a copy of the files that it is made of."""
    pytest.importorskip("setuptools", minversion="70.1", reason="builds a wheel by itself")
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE, ignore=ignored)
    for name in (*SOURCES, PTH.name):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", BUILD.format("sdist"), out, cwd=source)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel, made of the source distribution, as an index would have it."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-c", BUILD.format("wheel"), out, cwd=source)
    (built,) = out.iterdir()
    return built


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def info(wheel: Path, name: str) -> str:
    (data,) = (v for k, v in members(wheel).items() if k.endswith(f".dist-info/{name}"))
    return data.decode()


# The wheel


def test_the_wheel_has_the_line_that_python_runs_at_its_start(wheel):
    assert members(wheel)[PTH.name] == PTH.read_bytes()
    # pip removes what is listed here
    assert any(line.startswith(f"{PTH.name},") for line in info(wheel, "RECORD").splitlines())


def test_the_wheel_has_the_package_and_nothing_else(wheel):
    kept = {name for name in members(wheel) if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert kept == package | {PTH.name}
    assert f"{PACKAGE}/py.typed" in kept


def test_the_wheel_declares_the_plugins(wheel):
    built, source = configparser.ConfigParser(), configparser.ConfigParser()
    built.read_string(info(wheel, "entry_points.txt"))
    source.read(ROOT / "setup.cfg", encoding="utf-8")
    for group in ("datumaro.plugins", "console_scripts"):
        lines = source["options.entry_points"][group].strip().split("\n")
        assert dict(built[group]) == dict(line.split(" = ") for line in lines)


def test_metadata(wheel):
    metadata = HeaderParser().parsestr(info(wheel, "METADATA"))
    assert metadata["Version"] == datumaro_openimages_plugin.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    assert (ROOT / "README.md").read_text(encoding="utf-8").strip() in metadata.get_payload()
    pythons = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") if "3." in c]
    environments = (ROOT / "tox.ini").read_text()
    tested = [name for name in pythons if f"py{name.replace('.', '')}" in environments]
    assert tested == pythons, "a Python that is named is tested"


def test_the_hosts_that_are_admitted_are_tested(wheel):
    """The ends of what setup.cfg admits are environments of tox.ini."""
    requirements = pytest.importorskip("packaging.requirements")
    metadata = HeaderParser().parsestr(info(wheel, "METADATA"))
    needed = [requirements.Requirement(text) for text in metadata.get_all("Requires-Dist")]
    (datumaro,) = (r.specifier for r in needed if r.name == "datumaro" and not r.marker)
    assert "0.3" in datumaro  # CVAT's fork
    assert "0.2.3" not in datumaro
    pins = re.findall(r"^    datumaro(?:\[cli\])?==(\S+)$", (ROOT / "tox.ini").read_text(), re.M)
    assert sorted(pins) == ["0.3.1", "1.5.2"]
    assert all(pin in datumaro for pin in pins)
    older = [f"1.{minor}.{patch}" for minor in range(6) for patch in range(10)]
    assert next(version for version in older if version in datumaro) == "1.5.2"


# Installing and uninstalling


@pytest.fixture(scope="module")
def pip_wheel() -> Path:
    """The pip that comes with Python, run as it lies, so that nothing is fetched."""
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python has no pip of its own")
    return bundled[-1]


@pytest.fixture
def new_venv(tmp_path) -> Path:
    """An empty environment; gives its interpreter."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    return tmp_path / "venv/bin/python"


def files_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_uninstalling_leaves_no_trace(wheel, pip_wheel, new_venv):
    def pip(*arguments: object) -> None:
        run(new_venv, "-m", "pip", *arguments, PYTHONPATH=str(pip_wheel))

    first = "import sys; print(sys.meta_path[0].__module__)"
    root = new_venv.parents[1]
    before = files_below(root), run(new_venv, "-c", first, PYTHONPATH="")
    pip("install", "--no-deps", "--no-index", "--no-compile", "--quiet", wheel)
    assert run(new_venv, "-c", first, PYTHONPATH="").strip() == PTH.name
    version = run(root / "bin/datum-openimages", "--version", PYTHONPATH="").split()[-1]
    assert version == datumaro_openimages_plugin.__version__
    pip("uninstall", "--yes", "--quiet", PACKAGE.replace("_", "-"))
    assert (files_below(root), run(new_venv, "-c", first, PYTHONPATH="")) == before


# Beside CVAT

#: What CVAT pins and what it has in place of Datumaro; the versions that matter here.
CVAT = {
    "attrs": "21.4.0",
    "datumaro": "0.3",
    "defusedxml": "0.7.1",
    "numpy": "1.22.4",
    "opencv-python-headless": "4.8.1.78",
    "Pillow": "10.3.0",
    "pycocotools": "2.0.7",
}


def pretend(site: Path, installed: dict[str, str]) -> None:
    """Makes packages look installed."""
    for name, version in installed.items():
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        requires = [f"Requires-Dist: {n}\n" for n in installed if name == "datumaro" and n != name]
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(requires)}"
        (folder / "METADATA").write_text(metadata)
        (folder / "RECORD").write_text("")
        (folder / "INSTALLER").write_text("pip\n")


def planned(python: Path, pip_wheel: Path, *wanted: object) -> set[str] | None:
    """Names of what pip would install, None where it cannot ask any index."""
    command = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *wanted]
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": str(pip_wheel), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    return {found["metadata"]["name"].lower() for found in json.loads(done.stdout)["install"]}


@pytest.mark.skipif(sys.version_info[:2] != (3, 10), reason="CVAT with these pins has Python 3.10")
def test_installing_beside_cvat_changes_none_of_its_pins(wheel, pip_wheel, new_venv):
    (site,) = (new_venv.parents[1] / "lib").glob("python*/site-packages")
    if planned(new_venv, pip_wheel, "--retries", "0", "imagesize") is None:
        pytest.skip("no package index can be asked")
    pretend(site, CVAT)
    found = planned(new_venv, pip_wheel, wheel)
    assert found is not None
    assert not found & {name.lower() for name in CVAT}
    assert {PACKAGE.replace("_", "-"), "pyarrow"} <= found
