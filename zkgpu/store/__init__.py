"""What is kept on disk under the digest of a file: that it was checked, and what was made of it."""
