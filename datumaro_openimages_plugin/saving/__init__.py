"""All or nothing: one dataset in the place of another."""
