"""Alembic's scripts: the steps from an empty database to today's tables."""
