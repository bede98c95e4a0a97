"""`python -m zkgpu` is the command `zkgpu`."""

from zkgpu.cli import command

if __name__ == "__main__":
    command()
