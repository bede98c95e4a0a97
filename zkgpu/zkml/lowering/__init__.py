"""Nodes of a float graph as operations on integers: a rule for each operator."""
