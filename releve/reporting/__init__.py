"""What people look at: pages, model cards, the leaderboard."""
