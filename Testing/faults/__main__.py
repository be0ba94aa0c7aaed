"""``python -m Testing.faults [KIND ...]``: exit code 1 where a row is wrong."""

import sys

from .table import main

sys.exit(main())
