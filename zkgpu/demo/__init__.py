"""What `zkgpu demo` shows: a network that reads a digit, verified in a contract too, and membership in a tree."""
