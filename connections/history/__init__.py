"""An organization's history: its timeline, its uptime and the chart of all."""
