"""The plugins that installed packages declare, as this Datumaro registers them."""

from __future__ import annotations

import inspect
import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

__all__ = ["GROUP", "declared_plugins", "key_of", "kind_of"]

log = logging.getLogger(__name__)

GROUP = "datumaro.plugins"

#: Our own classes, for where no installed metadata declares them.
_OWN = [
    EntryPoint(name, f"{__package__}.{module}:{name}", GROUP)
    for module, names in (
        ("plugin", ("OpenImagesExtractor", "OpenImagesImporter", "OpenImagesExporter")),
        (
            "presets",
            (
                "OpenImagesCocoExtractor",
                "OpenImagesCocoImporter",
                "OpenImagesReadableExtractor",
                "OpenImagesReadableImporter",
                "OpenImagesYoloExtractor",
                "OpenImagesYoloImporter",
            ),
        ),
        (
            "transforms",
            (
                "OpenImagesCrowds",
                "OpenImagesDropBoxes",
                "OpenImagesDropNegatives",
                "OpenImagesExpand",
                "OpenImagesKeepClasses",
                "OpenImagesNames",
                "OpenImagesSizes",
            ),
        ),
    )
    for name in names
]

#: Values of the entry points that were reported.
_broken: set[str] = set()


def declared_plugins(eager: bool = False) -> list[Any]:
    """The declared plugins as this Datumaro registers them; broken ones are reported once.

    Args:
        eager: Whether the classes themselves are wanted where Datumaro also knows lazy entries.
    """
    found = []
    declared = list(entry_points(group=GROUP))
    if not any(entry_point.module.split(".")[0] == __package__ for entry_point in declared):
        declared += _OWN  # on the path, not installed
    for entry_point in declared:
        try:
            found.append(_registrable(entry_point, eager))
        except (Exception, SystemExit) as error:  # a foreign package may fail in any way
            if entry_point.value not in _broken:
                _broken.add(entry_point.value)
                log.warning(
                    "the Datumaro plugin %r (%s) cannot be used: %s",
                    entry_point.name,
                    entry_point.value,
                    f"{type(error).__name__}: {error}",
                )
    return found


def _registrable(entry_point: EntryPoint, eager: bool) -> Any:
    plugin = entry_point.load()
    kind = kind_of(plugin)
    if kind is None:
        raise TypeError("it is no plugin class of this Datumaro")
    if not getattr(plugin, "NAME", None):
        raise TypeError("it has no NAME")
    try:
        from datumaro.components.lazy_plugin import STR_TO_PLUGIN_TYPES, get_lazy_plugin
    except ImportError:
        return plugin
    if eager or kind not in STR_TO_PLUGIN_TYPES:
        return plugin
    options: dict[str, Any] = {}
    if kind == "Importer" and "metadata" in inspect.signature(get_lazy_plugin).parameters:
        options["metadata"] = {"file_extensions": plugin.get_file_extensions()}
    path = f"{entry_point.module}.{entry_point.attr}"
    return get_lazy_plugin(path, plugin.NAME, kind, **options)


def key_of(plugin: Any) -> tuple[str, str]:
    """What a plugin replaces: the one of the same name and kind."""
    return getattr(plugin, "NAME", None) or "", kind_of(plugin) or ""


def kind_of(plugin: Any) -> str | None:
    """The name of the plugin type that a class belongs to."""
    if not isinstance(plugin, type):
        return None
    from datumaro.components.cli_plugin import plugin_types

    types = set(plugin_types())
    try:  # 1.x leaves generators out of that list
        from datumaro.components.generator import DatasetGenerator
    except ImportError:
        pass
    else:
        types.add(DatasetGenerator)
    # A transform is also a dataset, so the more special type comes first.
    ordered = sorted(types, key=lambda t: -len(t.__mro__))
    return next((t.__name__ for t in ordered if issubclass(plugin, t)), None)
