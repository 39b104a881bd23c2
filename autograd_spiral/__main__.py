"""Runs the command line, as `python -m autograd_spiral`."""

import sys

from autograd_spiral.cli import main

sys.exit(main())
