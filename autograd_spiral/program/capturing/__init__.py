"""Makes programs of steps: tracing, lowering, and the choice of the program for a call."""
