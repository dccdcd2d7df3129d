"""Pages about webhooks: a tab of a connection's page, and those of the installation."""
