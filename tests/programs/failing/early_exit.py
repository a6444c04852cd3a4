"""Ends itself when it finds no data."""

import sys


def main():
    if not sys.argv[1:]:
        print("no data folder was given")
        sys.exit(3)


main()
