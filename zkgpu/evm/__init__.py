"""The words and calls of the EVM, and what a proof system brings for its contract."""
