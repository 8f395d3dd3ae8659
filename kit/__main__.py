"""`python -m kit`."""

from kit.cli import main

if __name__ == "__main__":  # and not again in the processes that it starts
    main()
