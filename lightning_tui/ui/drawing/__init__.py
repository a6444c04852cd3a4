"""How rows, gauges and curves are drawn: pure, and without widgets."""
