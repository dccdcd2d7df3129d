"""The pages about notices."""
