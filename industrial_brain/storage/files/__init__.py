"""Reading users' files: encodings, rows with line numbers, dates, and the import itself."""
