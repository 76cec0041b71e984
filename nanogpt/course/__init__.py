"""What makes the engine a course: tiers, progress, claims, plots, and the way into JupyterLab."""
