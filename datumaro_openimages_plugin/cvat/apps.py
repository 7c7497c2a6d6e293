"""The Django app; Django loads it for ``datumaro_openimages_plugin.cvat`` in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["OpenImagesConfig"]


class OpenImagesConfig(AppConfig):
    """Registers the formats once all apps are loaded."""

    name = "datumaro_openimages_plugin.cvat"
    label = "datumaro_openimages"
    verbose_name = "Open Images formats"

    def ready(self) -> None:
        """Called by Django; CVAT's registry can only be imported from here on."""
        from datumaro_openimages_plugin.cvat.formats import register

        register()
