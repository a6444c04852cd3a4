"""How shall a program run? The plan, what can stand in it on this machine and why, and what is refused beforehand."""
