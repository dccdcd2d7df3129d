"""The worker: carries out requests for connections and records their state."""
