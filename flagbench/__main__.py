"""`python -m flagbench`, the form that launchers such as torchrun need."""

import sys

from flagbench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
