"""Anomaly detection: judgements of readings, one by one (`fleet`), and what of them is an alarm (`decisions`)."""
