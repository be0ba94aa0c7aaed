"""``python -m dsir`` is the ``dsir`` command."""

import sys

from .cli import main

sys.exit(main())
