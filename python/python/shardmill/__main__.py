"""``python -m shardmill`` runs the console script ``shardmill``."""

import sys

from shardmill.programs import main

if __name__ == "__main__":
    sys.exit(main())
