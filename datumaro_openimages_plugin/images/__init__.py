"""Ids, subsets, sizes and pictures."""
