"""Class lists and the tree over them."""
