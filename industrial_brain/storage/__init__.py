"""Adapters of the storage ports: SQL tables, files, the model registry."""
