"""Passes: functions from program to program that keep the results."""
