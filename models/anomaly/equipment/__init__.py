"""Trained detectors for equipment whose sensors belong together, one algorithm a file."""
