"""Which files a dataset has, and opening them."""
