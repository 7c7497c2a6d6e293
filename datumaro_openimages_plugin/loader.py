"""Gives Datumaro the plugins that installed packages declare: entry points -> Environment.

Datumaro reads no entry points. This module wraps the two functions by which an ``Environment``
loads its built-in plugins, so that every class declared under the entry-point group
``datumaro.plugins``, by whatever package, takes the place of the built-in of the same name and
kind: in every environment, process and ``datum`` command. It is the only module that touches
Datumaro's private names.

`_autoload` calls `on_import` when Datumaro's modules are imported.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from datumaro_openimages_plugin import _autoload
from datumaro_openimages_plugin.declared import declared_plugins, key_of

__all__ = ["HOOKS", "on_import", "register", "register_in", "unregister"]

_LOADERS = ("_load_builtin_plugins", "_load_builtin_plugins_from_importlib")
_ENVIRONMENT = "datumaro.components.environment"
_DATASET = "datumaro.components.dataset"
_PATTERNS = "SUBSET_IMAGE_DESCRIPTION_FILE_PATTERNS"
_OUR_PATTERN = "*-image_ids_and_rotation.csv"

#: The attribute of a wrapped method that has what was there before.
_ORIGINAL = "_before_open_images"


def register() -> None:
    """Puts the declared plugins in place, for Datumaro's default environment and all new ones.

    Called by itself where the package is installed; by hand where it is only on the path. A
    second call does nothing. An environment that somebody made and used before keeps the plugins
    that it has.
    """
    import datumaro.components.environment  # noqa: F401 (hooked below, as all that is imported)

    _autoload.watch()
    for name in HOOKS:
        if name in sys.modules:
            on_import(sys.modules[name])


def on_import(module: ModuleType) -> None:
    """Does to a module of Datumaro what there is to do once it has been imported."""
    HOOKS[module.__name__](module)


def unregister() -> None:
    """Undoes `register`: Datumaro has its own plugins again."""
    _autoload.unwatch()
    for name in _BUILT_IN_MODULES:
        _set_patterns(sys.modules.get(name), add=False)
    dataset = sys.modules.get(_DATASET)
    if dataset is not None:
        _unwrap(dataset.Dataset, "export")
    module = sys.modules.get(_ENVIRONMENT)
    if module is None:
        return
    environment = module.Environment
    if _for_each_loader(_unwrap, environment):
        default = getattr(module, "DEFAULT_ENVIRONMENT", None)
        if default is not None and default._builtins_initialized:
            _replace_registered(default, declared_plugins(), environment._load_builtin_plugins())


def install(module: ModuleType) -> None:
    """Wraps the loading of built-in plugins in Datumaro's environment module."""
    wrap = functools.partial(_wrap, wrap=_with_declared)
    if not _for_each_loader(wrap, module.Environment):
        return
    default = getattr(module, "DEFAULT_ENVIRONMENT", None)
    if default is not None and default._builtins_initialized:
        declared = declared_plugins()
        _replace_registered(default, declared, declared)


def _for_each_loader(change: Callable[[Any, str], bool], environment: Any) -> bool:
    changed = [change(environment, name) for name in _LOADERS]
    return any(changed)


def _wrap(owner: Any, name: str, wrap: Callable[[Any], Any]) -> bool:
    """Wraps a method; False where there is none, or where it is wrapped already."""
    original = owner.__dict__.get(name)
    if original is None or hasattr(original, _ORIGINAL):
        return False
    if isinstance(original, classmethod):
        wrapped: Any = classmethod(wrap(original.__func__))
    else:
        wrapped = wrap(original)
    # Kept on the wrapper, not in a table here: after a reload there is a new class to wrap.
    setattr(wrapped, _ORIGINAL, original)
    setattr(owner, name, wrapped)
    return True


def _unwrap(owner: Any, name: str) -> bool:
    """Undoes `_wrap`; False where nothing is wrapped."""
    original = getattr(owner.__dict__.get(name), _ORIGINAL, None)
    if original is None:
        return False
    setattr(owner, name, original)
    return True


def _with_declared(load: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    before: list[Any] | None = None
    after: list[Any] = []

    @functools.wraps(load)
    def loaded(cls: Any) -> list[Any]:
        nonlocal before, after
        plugins = load(cls)
        # Datumaro keeps its list; a command asks for it a dozen times.
        if plugins is not before:
            # Classes where Datumaro imports its own, lazy entries where it has lazy ones.
            eager = not any(hasattr(plugin, "get_plugin_cls") for plugin in plugins)
            before, after = plugins, _replaced(plugins, declared_plugins(eager))
        return list(after)

    return loaded


def _replaced(plugins: list[Any], declared: list[Any]) -> list[Any]:
    """Some plugins, with the declared ones in the place of those of the same name and kind."""
    keys = {key_of(plugin) for plugin in declared}
    names = {name for name, _ in keys}  # Datumaro has 300 plugins, and few of these names
    return [
        plugin
        for plugin in plugins
        if (getattr(plugin, "NAME", None) or "") not in names or key_of(plugin) not in keys
    ] + declared


def register_in(environment: Any) -> None:
    """Puts the declared plugins into an environment that was made before they were there."""
    declared = declared_plugins(eager=not getattr(environment, "_use_lazy_import", False))
    _replace_registered(environment, declared, declared)


def _replace_registered(environment: Any, old: Iterable[Any], new: Iterable[Any]) -> None:
    """Swaps plugins in an environment that has its registries already."""
    keys = {key_of(plugin) for plugin in old}
    groups = getattr(environment.importers, "extension_groups", {})
    names = {name for name, kind in keys if kind == "Importer"}
    for entries in groups.values():
        entries[:] = [(name, plugin) for name, plugin in entries if name not in names]
    for name, kind in keys:
        getattr(environment, _REGISTRIES[kind]).unregister(name)
    register_plugins = getattr(environment, "register_plugins", None)
    if register_plugins is None:
        register_plugins = environment._register_plugins
    register_plugins([plugin for plugin in new if key_of(plugin) in keys])


#: Type of plugin -> the registry of an environment that holds it.
_REGISTRIES = {
    "DatasetBase": "extractors",
    "Extractor": "extractors",
    "Importer": "importers",
    "Exporter": "exporters",
    "Converter": "converters",
    "DatasetGenerator": "generators",
    "Transform": "transforms",
    "Validator": "validators",
    "Launcher": "launchers",
}


# Datumaro's own Open Images


def _set_patterns(module: ModuleType | None, add: bool = True) -> None:
    """Lets those who go by the built-in's file patterns, as CVAT does, see our image lists."""
    path = getattr(module, "OpenImagesPath", None)
    if path is None:
        return
    patterns = tuple(p for p in getattr(path, _PATTERNS) if p != _OUR_PATTERN)
    setattr(path, _PATTERNS, (*patterns, _OUR_PATTERN) if add else patterns)


def _find_all_ids(module: ModuleType) -> None:
    """Has CVAT's stock format find all images that need a size, which it gives to those it finds.

    It takes what stands before a line's first comma, in image lists alone and not below a zip's top
    folder; boxes of other images would have their fractions as pixels.
    """
    if not hasattr(module, "find_item_ids"):
        return

    @functools.wraps(module.find_item_ids)
    def find_item_ids(path: str) -> Iterable[str]:
        from datumaro_openimages_plugin.reading.read_ids import ids_with_sizes

        return ids_with_sizes(path)

    module.find_item_ids = find_item_ids  # type: ignore[attr-defined]


def _explain_zip_target(module: ModuleType) -> None:
    """Makes saving over a zip say what to do; Datumaro would only say that the file exists."""
    _wrap(module.Dataset, "export", _not_over_a_zip)  # type: ignore[attr-defined]


def _not_over_a_zip(export: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(export)
    def checked(self: Any, save_dir: str, format: Any, **options: Any) -> Any:
        name = format if isinstance(format, str) else getattr(format, "NAME", None)
        if name == "open_images" and save_dir and os.path.isfile(save_dir):
            from datumaro_openimages_plugin.errors import SaveError

            raise SaveError(
                "a dataset that was read from a zip is saved to another place: give a folder, "
                "with zip=True for a zip inside of it",
                file=save_dir,
            )
        return export(self, save_dir, format, **options)

    return checked


_BUILT_IN_MODULES = (
    "datumaro.plugins.data_formats.open_images",
    "datumaro.plugins.open_images_format",
)

#: Module of Datumaro -> what is done to it once it has been imported.
HOOKS: dict[str, Callable[[ModuleType], None]] = {
    _ENVIRONMENT: install,
    _DATASET: _explain_zip_target,
    **dict.fromkeys(_BUILT_IN_MODULES, _set_patterns),
    "cvat.apps.dataset_manager.formats.openimages": _find_all_ids,
}
