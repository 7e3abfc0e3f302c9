"""Submissions to the leaderboard: prepared from runs, validated and recomputed by whoever reads them."""
