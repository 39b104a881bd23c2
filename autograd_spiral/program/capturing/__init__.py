"""From a step to a program: tracing, lowering, and what selects the program of a call."""
