"""Tools for finding errors and saving time: `blame`, the line of the user's code for messages, and `keep_memory`."""
