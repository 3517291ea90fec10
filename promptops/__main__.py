"""`python -m promptops`."""

from promptops.cli.app import main

if __name__ == "__main__":
    main()
