"""How dates and times are written, by language: Django reads these through FORMAT_MODULE_PATH."""
