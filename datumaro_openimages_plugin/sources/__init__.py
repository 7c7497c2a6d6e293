"""Opening the files of a dataset: from a folder, a zip, or packed."""
