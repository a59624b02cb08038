"""`python -m server` is `perpetuo`."""

import sys

from server.cli import main

sys.exit(main())
