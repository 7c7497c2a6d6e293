"""Ids, subsets and sizes of images."""
