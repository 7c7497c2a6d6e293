"""Stand-in of CVAT's format registry: its contract, without its code."""

import inspect

from datumaro.components.environment import Environment

from cvat.apps.engine.models import DimensionType

dm_env = Environment()

EXPORT_FORMATS = {}
IMPORT_FORMATS = {}


class _Format:
    NAME = ""
    VERSION = ""
    EXT = ""
    DISPLAY_NAME = "{NAME} {VERSION}"
    ENABLED = True


def _decorator(formats, name, version, ext, display_name, enabled, dimension):
    def wrap(target):
        assert inspect.isclass(target) or inspect.isfunction(target)
        made = target
        if inspect.isfunction(target):

            class made(_Format):  # noqa: N801 (takes the function's name)
                def __call__(self, *args, **kwargs):
                    target(*args, **kwargs)

            made.__name__, made.__module__ = target.__name__, target.__module__
        assert callable(made)
        made.NAME, made.VERSION, made.EXT = name, version, ext
        made.DISPLAY_NAME = (display_name or _Format.DISPLAY_NAME).format(
            NAME=name, VERSION=version, EXT=ext
        )
        assert all((made.NAME, made.VERSION, made.EXT, made.DISPLAY_NAME))
        made.DIMENSION, made.ENABLED = dimension, enabled
        assert made.DISPLAY_NAME not in formats, f"{name!r} is registered already"
        formats[made.DISPLAY_NAME] = made
        return made

    return wrap


def exporter(name, version, ext, display_name=None, enabled=True, dimension=DimensionType.DIM_2D):
    return _decorator(EXPORT_FORMATS, name, version, ext, display_name, enabled, dimension)


def importer(name, version, ext, display_name=None, enabled=True, dimension=DimensionType.DIM_2D):
    return _decorator(IMPORT_FORMATS, name, version, ext, display_name, enabled, dimension)


def make_importer(name):
    return IMPORT_FORMATS[name]()


def make_exporter(name):
    return EXPORT_FORMATS[name]()


# The list of stock formats is fixed, and the registry's last lines; there is no hook.
import cvat.apps.dataset_manager.formats.openimages  # noqa: E402, F401
