"""What every ceremony needs, and phase 1, whose powers of tau serve all circuits and both proof systems."""
