"""Plan, fit, judge. Training is handed data and ports; it never reaches for a store. Ray lives in `ray_jobs.py` alone."""
