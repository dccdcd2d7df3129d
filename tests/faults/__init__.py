"""The fault table: what goes wrong, what people are told, how it goes on, and that it is so."""
