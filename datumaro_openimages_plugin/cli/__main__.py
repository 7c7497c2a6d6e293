"""``python -m datumaro_openimages_plugin.cli``: the command where no script is installed."""

import sys

from datumaro_openimages_plugin.cli import main

sys.exit(main())
