"""The hypothesis profile of the suite: the same examples in every run, without time limits per example."""

from hypothesis import settings

settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")
