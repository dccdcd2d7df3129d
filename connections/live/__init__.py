"""WebSockets of the pages, and the fleet as they show it."""
