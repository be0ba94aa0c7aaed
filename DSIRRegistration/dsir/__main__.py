"""``python -m dsir`` is the ``dsir`` command."""

import sys

from .cli.watch_parent import end_with_parent

if __name__ == "__main__":
    end_with_parent()

    from .cli import main

    sys.exit(main())
