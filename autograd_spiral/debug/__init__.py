"""Finding out what went wrong, and where: `blame`, the line of the user's code, and memory that is kept."""
