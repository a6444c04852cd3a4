"""What is in the output files of a run."""
