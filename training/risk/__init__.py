"""Training models of risk: scores, the search on Ray, the gate, and the run."""
