"""Passes: functions that turn a program into another one with the same results."""
