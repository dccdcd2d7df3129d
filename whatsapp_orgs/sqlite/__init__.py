"""Django's database engine for SQLite, with turns for the writers of one process."""
