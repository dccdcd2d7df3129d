"""The page behind a link for the phone's owner, and its socket."""
