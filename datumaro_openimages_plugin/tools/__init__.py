"""What `cli` does: looking at, checking, completing and cutting datasets, by columns alone."""
