"""`brain`: the command line. Each command parses, calls one thing, prints."""

from industrial_brain.cli.app import main

__all__ = ["main"]
