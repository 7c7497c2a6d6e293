"""Waits for the modules of Datumaro that `loader` has something to do to.

The wheel's ``.pth`` file is run at Python's start. All it does is to leave a finder that imports
this module and calls `start` when somebody imports ``datumaro``, so that other programs pay for
one line and no file. Setting ``DATUMARO_OPENIMAGES_AUTOLOAD=0`` switches it off.
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
        if name not in WATCHED or name in _searching:
            return None
        # Another finder of this sort may ask all finders, us among them.
        _searching.append(name)
        try:
            for finder in sys.meta_path:
                if finder is _Finder or not hasattr(finder, "find_spec"):
                    continue
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        _watch_loader(spec.loader)
                    return spec
            return None
        finally:
            _searching.remove(name)


#: Names that are being looked for.
_searching = []  # type: list[str]


def _watch_loader(loader):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    original = loader.exec_module

    def exec_module(module):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        original(module)
        if module.__name__ in WATCHED:  # a loader may serve many modules
            _on_import(module)

    loader.exec_module = exec_module


def _on_import(module):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    try:
        from datumaro_openimages_plugin.loader import on_import

        on_import(module)
    except Exception:  # whatever is wrong with us, Datumaro must go on working
        import logging

        logging.getLogger(__name__).warning(
            "datumaro_openimages_plugin cannot take the place of Datumaro's own open_images",
            exc_info=True,
        )


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
