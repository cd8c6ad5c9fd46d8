"""``python -m shardmill.bench``."""

import sys

from .cli import main

sys.exit(main())
