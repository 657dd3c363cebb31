"""Arrays in, arrays out: what models read off a series before they fit it."""
