"""`python -m opcode_core` is `opcode`."""

from opcode_core.cli.main import main

if __name__ == "__main__":
    main()
