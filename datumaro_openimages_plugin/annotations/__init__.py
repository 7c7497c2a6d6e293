"""What annotations carry beyond Datumaro's fields, and how values become text."""
