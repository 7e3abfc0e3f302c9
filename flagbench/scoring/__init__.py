"""What it was worth: metrics, their uncertainty, and degenerate policies."""
