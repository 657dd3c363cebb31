"""Forecasters: fit many series at once, keep their state as arrays, answer with a mean and a scale."""
