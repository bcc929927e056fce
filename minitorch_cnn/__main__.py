"""``python -m minitorch_cnn`` is the command ``minitorch-cnn``."""

import sys

from minitorch_cnn.cli import main

sys.exit(main())
