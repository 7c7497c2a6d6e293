"""Import, top to bottom: what is asked for, what is there, items."""
