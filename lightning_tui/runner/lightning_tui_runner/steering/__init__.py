"""What may a person ask of a running training? Commands, agreed by all ranks and carried out at the same batch."""
