"""The pages of administrators who remove an organization, and of owners who export all of it."""
