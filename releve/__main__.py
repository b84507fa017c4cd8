"""`python -m releve`: the command `releve`, where a shell does not find it."""

import sys

from releve.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
