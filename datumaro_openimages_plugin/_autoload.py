"""Waits for Datumaro to be imported; run at Python's start, so it imports next to nothing.

The wheel's ``.pth`` file calls `start`. Setting ``DATUMARO_OPENIMAGES_AUTOLOAD=0`` switches it off.
"""

import os
import sys

#: Modules of Datumaro and CVAT that `loader.HOOKS` has something to do to.
WATCHED = frozenset(
    (
        "datumaro.components.environment",
        "datumaro.components.dataset",
        "datumaro.plugins.data_formats.open_images",
        "datumaro.plugins.open_images_format",
        "cvat.apps.dataset_manager.formats.openimages",
    )
)


class _Finder:
    """Finds nothing itself; has the loader of a watched module call us when it is done."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN205
        """The spec that the other finders give, with its loader's end watched."""
        if name not in WATCHED:
            return None
        for finder in sys.meta_path:
            if finder is _Finder or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    _watch_loader(spec.loader)
                return spec
        return None


def _watch_loader(loader):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    original = loader.exec_module

    def exec_module(module):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        original(module)
        from datumaro_openimages_plugin.loader import on_import

        on_import(module)

    loader.exec_module = exec_module


def start() -> None:
    """Waits for Datumaro unless the environment says not to."""
    if os.environ.get("DATUMARO_OPENIMAGES_AUTOLOAD") != "0":
        watch()


def watch() -> None:
    """Waits for Datumaro."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]


def unwatch() -> None:
    """Stops waiting."""
    if _Finder in sys.meta_path:
        sys.meta_path.remove(_Finder)  # type: ignore[arg-type]
