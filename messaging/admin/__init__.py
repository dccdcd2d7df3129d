"""Pages about messages: the tabs of a connection's page, and the traffic of the fleet."""
