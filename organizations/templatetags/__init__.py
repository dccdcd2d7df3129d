"""Tags for templates of any app."""
