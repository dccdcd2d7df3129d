"""What Prometheus is told. Imported when it is first asked for: it would weigh on every process."""
