"""In which order are the commands of the palette listed? In that of the help, not by the alphabet."""

from __future__ import annotations

from textual.command import DiscoveryHit, Hits
from textual.system_commands import SystemCommandsProvider


class KeyPalette(SystemCommandsProvider):
    """The commands of the application, as it gives them."""

    async def discover(self) -> Hits:
        for title, key, callback, _ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(title, callback, help=key)
