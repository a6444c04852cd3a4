"""Writes its predictions to a device without room."""

with open("/dev/full", "w") as file:
    file.write("0.5\n" * 100_000)  # here
