"""``python -m quorate.cli``: the same as the console script; how `up` starts its nodes."""

from quorate.cli import main

if __name__ == "__main__":
    main()
