"""Industrial Brain: analytics for a city and its factories."""

__version__ = "0.1.0"
