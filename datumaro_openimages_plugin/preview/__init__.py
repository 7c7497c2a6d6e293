"""A dataset on one page: pictures with what is annotated in them, and figures of the whole.

statistics (one pass over the items) and scenes (what is to be drawn of one item, as plain values)
-> SVG and HTML, or PNG. Nothing here trusts a text or a picture of the dataset.
"""
