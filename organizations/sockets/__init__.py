"""Authentication and origin check of WebSockets."""
