"""`python -m helo`: the command line."""

from helo.cli import main

if __name__ == "__main__":
    main()
