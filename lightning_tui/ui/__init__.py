"""What a person sees: the cockpit. Importing this package is light; Textual is imported when the cockpit opens."""

from __future__ import annotations

import gc
import sys

from lightning_tui.ui.options import CockpitOptions

__all__ = ["CockpitOptions", "run_cockpit"]


def run_cockpit(options: CockpitOptions) -> int:
    """Open the cockpit on this terminal and stay until the user leaves.

    Returns the exit code: 0, or 128 and the signal's number where one ended it.
    """
    gc.disable()  # what is imported and built up to the first frame stays: not to look through it again saves 70 ms
    from lightning_tui.ui.app import CockpitApp
    from lightning_tui.ui.services import real_services

    app = CockpitApp(options, real_services(options.settings, options.environ), handles_signals=True)
    app.run()
    view = app.cockpit.view
    if view.run is not None and view.is_active:
        run_id = view.run.record.id
        sys.stdout.write(f"The run {run_id} continues. Return to it: lightning-tui attach {run_id}\n")
    return app.return_code or 0
