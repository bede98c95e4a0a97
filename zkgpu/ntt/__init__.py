"""Number-theoretic transforms."""
