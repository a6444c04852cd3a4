"""The plan inside the program: what its fields mean."""
