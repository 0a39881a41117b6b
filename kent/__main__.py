"""``python -m kent`` is ``kent``."""

import sys

from kent.cli import main

sys.exit(main())
