"""Telemetry over HTTP: bytes in the formats that senders speak, decoded into submissions, and the answers to them."""
