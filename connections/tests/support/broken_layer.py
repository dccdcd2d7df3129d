"""A channel layer whose server is unavailable."""

from typing import Any

from channels.layers import BaseChannelLayer


class BrokenLayer(BaseChannelLayer):
    """Raises ConnectionError for every message."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        raise ConnectionError("the channel layer is unavailable")
