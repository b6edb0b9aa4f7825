"""Training: the loop, losses, schedules, stopping, progress. Scores come in as functions."""
