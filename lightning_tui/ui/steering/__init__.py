"""What is asked of a training while it goes on."""
