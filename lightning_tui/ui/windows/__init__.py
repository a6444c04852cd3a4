"""The windows from which all others are made: a list, a text, a field, a search."""
