"""Passes: functions that rewrite a program without changing its results."""
