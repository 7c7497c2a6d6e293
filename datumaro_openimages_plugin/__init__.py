"""Open Images for Datumaro and CVAT: all of the dataset, nothing lost, as fast as its files.

Nothing is imported and nothing is registered by importing this package: installing it is enough
for Datumaro to find the format (see `loader`). The public names are loaded when they are used.
"""

# Importing Datumaro imports this module (see `_autoload`), so it imports nothing itself.

__version__ = "0.1.0"

#: Public name -> module that has it.
_PUBLIC = {
    "OpenImagesBase": "plugin",
    "OpenImagesConverter": "plugin",
    "OpenImagesExporter": "plugin",
    "OpenImagesExtractor": "plugin",
    "OpenImagesImporter": "plugin",
    "OpenImagesError": "errors",
    "OpenImagesPath": "plugin",
    "missing_images": "reading.choose",
    "paused_gc": "reading.collector",
    "register": "loader",
    "unregister": "loader",
}

__all__ = [
    "OpenImagesBase",
    "OpenImagesConverter",
    "OpenImagesError",
    "OpenImagesExporter",
    "OpenImagesExtractor",
    "OpenImagesImporter",
    "OpenImagesPath",
    "__version__",
    "missing_images",
    "paused_gc",
    "register",
    "unregister",
]


def __getattr__(name: str) -> object:
    import importlib

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
