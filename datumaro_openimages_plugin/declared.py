"""The plugins that installed packages declare, as this Datumaro registers them."""

from __future__ import annotations

import inspect
import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

__all__ = ["GROUP", "declared_plugins", "key_of", "kind_of"]

log = logging.getLogger(__name__)

GROUP = "datumaro.plugins"

_TRANSFORMS = {
    "OpenImagesCrowds": "open_images_crowds",
    "OpenImagesDropBoxes": "open_images_drop_boxes",
    "OpenImagesDropNegatives": "open_images_drop_negatives",
    "OpenImagesExpand": "open_images_expand",
    "OpenImagesKeepClasses": "open_images_keep_classes",
    "OpenImagesNames": "open_images_names",
    "OpenImagesSizes": "open_images_sizes",
}
_DETECTED = [".csv", ".CSV", ".jsonl"]

#: Our own classes -> NAME, type of plugin, and the extensions that detection goes by: all that
#: Datumaro 1.x wants to know of a plugin that it loads when it is used.
_KNOWN: dict[str, tuple[str, str, list[str]]] = {
    "plugin:OpenImagesExtractor": ("open_images", "DatasetBase", []),
    "plugin:OpenImagesImporter": ("open_images", "Importer", _DETECTED),
    "plugin:OpenImagesExporter": ("open_images", "Exporter", []),
    "presets:OpenImagesCocoExtractor": ("open_images_coco", "DatasetBase", []),
    "presets:OpenImagesCocoImporter": ("open_images_coco", "Importer", []),
    "presets:OpenImagesReadableExtractor": ("open_images_readable", "DatasetBase", []),
    "presets:OpenImagesReadableImporter": ("open_images_readable", "Importer", []),
    "presets:OpenImagesYoloExtractor": ("open_images_yolo", "DatasetBase", []),
    "presets:OpenImagesYoloImporter": ("open_images_yolo", "Importer", []),
    **{f"transforms:{cls}": (name, "Transform", []) for cls, name in _TRANSFORMS.items()},
}

#: Their entry points, for where no installed metadata declares them.
_OWN = [EntryPoint(value.partition(":")[2], f"{__package__}.{value}", GROUP) for value in _KNOWN]

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
    try:
        from datumaro.components.lazy_plugin import STR_TO_PLUGIN_TYPES, get_lazy_plugin
    except ImportError:
        return _loaded(entry_point)[0]
    package, _, value = entry_point.value.partition(".")
    known = _KNOWN.get(value) if package == __package__ else None
    if known is not None and not eager:
        name, kind, extensions = known  # to list them, they need not be imported
    else:
        plugin, kind = _loaded(entry_point)
        if eager or kind not in STR_TO_PLUGIN_TYPES:
            return plugin
        name, extensions = plugin.NAME, None
    options: dict[str, Any] = {}
    if kind == "Importer" and "metadata" in inspect.signature(get_lazy_plugin).parameters:
        found = plugin.get_file_extensions() if extensions is None else extensions
        options["metadata"] = {"file_extensions": found}
    path = f"{entry_point.module}.{entry_point.attr}"
    return get_lazy_plugin(path, name, kind, **options)


def _loaded(entry_point: EntryPoint) -> tuple[Any, str]:
    """A plugin and its type.

    Raises:
        TypeError: It is none that this Datumaro can register.
    """
    plugin = entry_point.load()
    kind = kind_of(plugin)
    if kind is None:
        raise TypeError("it is no plugin class of this Datumaro")
    if not getattr(plugin, "NAME", None):
        raise TypeError("it has no NAME")
    return plugin, kind


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
