"""The command line. Each command parses, calls the library and prints."""

from zkgpu.cli.main import main

__all__ = ["main"]
