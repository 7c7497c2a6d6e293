"""Fetching the published files: the tables of a choice of kinds, then the chosen images and masks.

Nothing is fetched unless `plan` and `fetch_all` are called, which only the command
``datum-openimages download`` does.
"""
