"""The one way out for requests whose address somebody else has chosen: webhooks, links."""
