"""Annotations -> rows -> files of rows; what all kinds' writers are made of."""
