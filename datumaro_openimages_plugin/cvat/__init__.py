"""A Django app that gives CVAT the format ``Open Images V7 1.0``, and labels that fit it.

Add ``datumaro_openimages_plugin.cvat`` to ``INSTALLED_APPS``. Importing this package imports
nothing of Django or CVAT; `docs/cvat.md` tells a site all about it.
"""
