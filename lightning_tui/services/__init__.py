"""What can a person do? One function each, for the screen and the command line alike; what cannot be done is refused.

Each raises a `RefusalError` of its kind. The modules import the rest of the house when they are first asked.
"""
