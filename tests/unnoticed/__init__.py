"""Programs of every kind, bare and under us: they must not notice any difference."""
