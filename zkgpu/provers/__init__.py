"""What the provers of all proof systems share: the statement that they make, and the care around their algebra."""
