"""What is this process? The run it belongs to, the program it runs, and its voice: events, output, tracebacks."""
