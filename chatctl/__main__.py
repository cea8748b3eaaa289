"""Lets ``python -m chatctl`` do what the ``chatctl`` command does."""

from chatctl.cli import main

if __name__ == "__main__":
    main()
