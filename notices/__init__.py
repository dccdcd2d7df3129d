"""Who is told of what: troubles become notices, which leave by mail and by chat."""
