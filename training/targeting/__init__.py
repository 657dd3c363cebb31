"""Training the ranker of targets: windows, baselines, scores, the gate, and the run."""
