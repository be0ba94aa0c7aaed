"""``python -m DSIRRegistrationLib.viewer``: what ``dsir view`` starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dsir.errors import DsirError

from ..keep_none_alive import keep_none_alive


def main() -> int:
    """Read the command line, show the page; exit codes as those of ``dsir``."""
    parser = argparse.ArgumentParser(prog="dsir view")
    parser.add_argument("fixed", type=Path)
    parser.add_argument("moving", type=Path)
    parser.add_argument("--transform", type=Path)
    parser.add_argument("--out", type=Path, default=Path("dsir-view"))
    parser.add_argument("--descriptor", default="dsir")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    try:
        import vtk

        from .app import Viewer
        from .serving import serve
    except ImportError as error:
        need = "pip install 'dsir-registration[viewer]'"
        print(f"dsir: The viewer needs trame-slicer ({error.name} is missing): {need}.", file=sys.stderr)
        return 2
    keep_none_alive()
    vtk.vtkObject.GlobalWarningDisplayOff()  # VTK's notes to developers are not for this user's terminal
    try:
        viewer = Viewer(
            options.fixed,
            options.moving,
            transform=options.transform,
            out=options.out,
            descriptor=options.descriptor,
        )
        serve(viewer, port=options.port, browser=not options.no_browser)
    except DsirError as error:
        print(f"dsir: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
