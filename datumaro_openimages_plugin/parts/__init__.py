"""Converting a dataset in parts, by as many processes or machines as there are, and joining them.

`convert_part` makes one part, `merge_parts` joins them by their tables; the result is the same to
the byte as that of one process. Both only need a file system that all processes see. What runs the
parts is up to you: ``examples/convert_with_dask.py`` does it with Dask.
"""

from datumaro_openimages_plugin._host import ready_thread
from datumaro_openimages_plugin.parts.convert import Transform, convert_part
from datumaro_openimages_plugin.parts.merge import merge_parts

__all__ = ["Transform", "convert_part", "merge_parts", "ready_thread"]
