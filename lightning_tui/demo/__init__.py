"""The built-in example, a small GPT on text that every Python installation carries. `train.py` is run by its path."""
