"""What runs when Python starts, and what when Datumaro is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from datumaro_openimages_plugin import _autoload, loader

ROOT = Path(__file__).parents[1]
PTH = ROOT / "datumaro_openimages_plugin.pth"
SWITCH = "DATUMARO_OPENIMAGES_AUTOLOAD"


def run(code: str, *flags: str, **environment: str) -> list[str]:
    """Lines that a new interpreter prints."""
    inherited = {name: text for name, text in os.environ.items() if name != SWITCH}
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def is_installed() -> bool:
    """Whether this is the installed wheel, which alone has the .pth file."""
    try:
        files = distribution("datumaro-openimages-plugin").files or []
    except PackageNotFoundError:
        return False
    return any(file.name == PTH.name for file in files)


installed = pytest.mark.skipif(not is_installed(), reason="needs the installed wheel")


@pytest.fixture
def fake_datumaro(tmp_path):
    """A package of Datumaro's name with the module that is waited for."""
    (tmp_path / "datumaro/components").mkdir(parents=True)
    for name in ("__init__.py", "components/__init__.py"):
        (tmp_path / "datumaro" / name).write_text("")
    (tmp_path / "datumaro/components/environment.py").write_text(
        "class Environment:\n"
        "    @classmethod\n"
        "    def _load_builtin_plugins(cls):\n"
        "        return []\n"
    )
    return tmp_path


# Python's start


def test_the_line_reads_and_imports_nothing():
    """Measured by what the interpreter reports, since times differ from run to run."""
    events = run(
        f"""
        import sys
        line = open({str(PTH)!r}).read()
        modules, finders, seen = set(sys.modules), len(sys.meta_path), []
        sys.addaudithook(lambda event, _: seen.append(event))
        exec(line)
        seen = [event for event in seen if event not in ("exec", "compile")]
        print(seen, set(sys.modules) - modules, len(sys.meta_path) - finders)
        """,
        "-I",
        "-S",
    )
    assert events == ["[] set() 1"]


def test_the_line_is_one_that_python_runs():
    (line,) = PTH.read_text(encoding="utf-8").splitlines()
    assert line.startswith("import ")


def test_other_imports_are_left_alone():
    printed = run(
        f"""
        import sys
        exec(open({str(PTH)!r}).read())
        import json, csv
        print("datumaro_openimages_plugin" in sys.modules)
        """,
        "-I",
        "-S",
    )
    assert printed == ["False"]


def test_the_line_does_nothing_once_the_package_is_gone(fake_datumaro):
    printed = run(
        f"""
        import sys
        sys.path.append({str(fake_datumaro)!r})
        exec(open({str(PTH)!r}).read())
        import datumaro.components.environment as environment
        print(environment.Environment._load_builtin_plugins())
        """,
        "-I",
        "-S",
    )
    assert printed == ["[]"]


@installed
@pytest.mark.parametrize("flags", [(), ("-I",), ("-E", "-s"), ("-O",)], ids=" ".join)
def test_the_start_imports_neither_us_nor_datumaro_nor_what_they_need(flags):
    heavy = (
        "datumaro",
        "datumaro_openimages_plugin",
        "numpy",
        "pyarrow",
        "cv2",
        "importlib.metadata",
    )
    code = f"import sys; print([m for m in {heavy} if m in sys.modules])"
    assert run(code, *flags) == ["[]"]
    # and yet we are waiting
    assert run("import sys; print(sys.meta_path[0].__module__)", *flags) == [PTH.name]


# Waiting for Datumaro

IMPORT = "import datumaro.components.environment as module"
CHECK = f"""
print(hasattr(module.Environment.__dict__["_load_builtin_plugins"], {loader._ORIGINAL!r}))
"""


def start_with(folder: Path) -> str:
    """Python's start, with the packages of a folder before all others."""
    path = [str(folder), str(ROOT)]
    return f"import sys; sys.path[:0] = {path!r}; exec(open({str(PTH)!r}).read())"


def script(*parts: str) -> str:
    return "\n".join(textwrap.dedent(part) for part in parts)


@pytest.mark.parametrize(
    ("switch", "waits"),
    [({}, True), ({SWITCH: "1"}, True), ({SWITCH: ""}, True), ({SWITCH: "0"}, False)],
    ids=str,
)
def test_the_switch(switch, waits, fake_datumaro):
    assert run(script(start_with(fake_datumaro), IMPORT, CHECK), "-S", **switch) == [str(waits)]


def test_what_is_wrong_with_us_does_not_break_datumaro(fake_datumaro):
    broken = fake_datumaro / "datumaro_openimages_plugin"
    broken.mkdir()
    (broken / "__init__.py").write_text("")
    (broken / "_autoload.py").write_text(Path(_autoload.__file__).read_text())
    (broken / "loader.py").write_text("raise RuntimeError('half installed')")
    assert run(script(start_with(fake_datumaro), IMPORT, CHECK), "-S") == ["False"]


def test_a_second_finder_of_this_sort(fake_datumaro):
    """Finders that ask all others, as import hooks do, must not ask one another for ever."""
    hook = """
    class Hook:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.startswith("datumaro."):
                for finder in sys.meta_path:
                    if finder is not Hook:
                        spec = finder.find_spec(name, path, target)
                        if spec is not None:
                            return spec
    import datumaro
    """
    for place in (0, 1):
        insert = f"sys.meta_path.insert({place}, Hook)"
        code = script(start_with(fake_datumaro), hook, insert, IMPORT, CHECK)
        assert run(code, "-S") == ["True"]


def test_a_module_that_is_loaded_anew_is_wrapped_anew(fake_datumaro):
    anew = "import importlib; importlib.reload(module)"
    code = script(start_with(fake_datumaro), IMPORT, CHECK, anew, CHECK)
    assert run(code, "-S") == ["True", "True"]


def test_every_module_waited_for_has_something_done_to_it():
    assert set(loader.HOOKS) == _autoload.WATCHED
