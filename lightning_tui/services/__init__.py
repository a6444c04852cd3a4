"""What can a person do? One function for each, beneath the screen and the command line."""
