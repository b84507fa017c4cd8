"""What people read: pages, model cards, the leaderboard, messages."""
