"""Readings on their way: judged, made durable, scored, moved to the lake. Handed its ports; imports no store, no door."""
