"""A library with an installed command, as pip would put it into an environment."""
