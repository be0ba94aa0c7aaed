"""The server that shows the page to this machine alone."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import webbrowser
from functools import partial

from .app import Viewer
from .reload import remember

LOOPBACK = "127.0.0.1"


def serve(viewer: Viewer, *, port: int = 0, browser: bool = True) -> None:
    """Show the page to this machine until Ctrl-C: loopback alone, a free port, and a token that changes each time."""
    token = secrets.token_urlsafe(24)
    sys.argv = sys.argv[:1]  # trame reads the command line too, and knows other words
    server = viewer.server
    server.cli.set_defaults(authKey=token)

    def ended(*_: object) -> None:
        viewer.work.jobs.end()
        viewer.session.close()
        os._exit(0)  # open pages and their views would hold an orderly end back for half a minute

    def ready(**_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ended)
        address = f"http://{LOOPBACK}:{server.port}/index.html?secret={token}"
        print(f"The viewer is at {address}\nCtrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(address)

    server.controller.on_server_ready.add(ready)
    server.controller.on_server_bind.add(partial(remember, token=token))
    server.start(port=port, host=LOOPBACK, open_browser=False, show_connection_info=False, disable_logging=True)
    viewer.session.close()
