"""What is in the output files of a run? Search, times and the merged order, for the screen and for plain lines alike.

Nothing here imports Textual, so that `lightning-tui logs` stays quick. Memory is flat in the size of a file.
"""
