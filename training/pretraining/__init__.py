"""How the shipped meta-learner came about: tasks from public and synthetic series, an objective, a recipe."""
