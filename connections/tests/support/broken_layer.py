"""A channel layer whose server is away."""

from typing import Any

from channels.layers import BaseChannelLayer


class BrokenLayer(BaseChannelLayer):
    """It takes nothing."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        raise ConnectionError("the channel layer is away")
