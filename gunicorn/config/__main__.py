"""Prints one face of the settings table: `python -m gunicorn.config reference|schema|help [FILE]`.

Knows the words that name the pages; `render` knows the pages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gunicorn.config.render import PAGES


def main(arguments: Sequence[str]) -> int:
    """Prints the page that the first argument names, to the file that the second names if there is one."""
    if not 1 <= len(arguments) <= 2 or arguments[0] not in PAGES:
        print(f"usage: python -m gunicorn.config {'|'.join(PAGES)} [FILE]", file=sys.stderr)
        return 1
    page = PAGES[arguments[0]]()
    if len(arguments) == 1:
        print(page, end="")
    else:
        with open(arguments[1], "w", encoding="utf-8") as file:
            file.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
