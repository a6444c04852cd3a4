"""The peer of the start-up bench: the smallest Textual app there is."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class OneWidget(App[None]):
    """One Static."""

    def compose(self) -> ComposeResult:
        yield Static("one widget")


if __name__ == "__main__":
    OneWidget().run()
