"""The peers and the measured programs."""
