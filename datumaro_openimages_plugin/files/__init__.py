"""Which files a dataset has, what each of them is, and what they are called on export."""
