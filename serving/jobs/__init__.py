"""Jobs: what takes longer than a request may. One mechanism; `work.py` says what each kind does."""
