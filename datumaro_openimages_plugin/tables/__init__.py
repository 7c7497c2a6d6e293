"""Tables: typed columns in memory, every row's text in its file."""
