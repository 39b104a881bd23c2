"""What holds for the whole suite: its hypothesis profile, and the package that processes started by tests import."""

import os
from pathlib import Path

from hypothesis import settings

import autograd_spiral

# The same examples in every run, without a time limit for each.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

# Demos, notebooks and the command line run in processes of their own, in other folders. They import the copy of the
# package that this process imported, and not another one that is installed.
COPY = str(Path(autograd_spiral.__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [COPY, os.environ.get("PYTHONPATH")]))
