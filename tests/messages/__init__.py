"""Messages through the whole product: API, worker, host process, neonize, simulator."""
