"""`python -m zkgpu` is the command `zkgpu`."""

from zkgpu.cli import main

if __name__ == "__main__":
    main()
