"""What the benchmark compares: models, libraries that train them, and steps that are written by hand."""
