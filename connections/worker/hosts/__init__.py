"""Host processes as the worker sees them: fork server, pool, handles, store template."""
