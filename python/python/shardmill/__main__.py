"""``python -m shardmill`` is the console script ``shardmill``."""

import sys

from shardmill.programs import main

if __name__ == "__main__":
    sys.exit(main())
