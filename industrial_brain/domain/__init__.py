"""What the city is made of: frozen types, protocols and errors. No I/O, no third-party services."""
