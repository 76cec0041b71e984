"""`python -m nanogpt` is the command line, so that torchrun can start it too."""

from nanogpt.cli import main

if __name__ == "__main__":
    main()
