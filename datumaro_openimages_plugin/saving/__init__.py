"""All or nothing: one folder in the place of another."""
