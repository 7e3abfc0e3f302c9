"""The leaderboard's data: submissions and what is built from them."""
