"""Fails where Sphinx's link check found a link that its server says is broken.

Without a network every external link fails to connect, which says nothing about it; so only
answers of servers count.

    sphinx-build -b linkcheck docs OUT; python docs/check_links.py OUT/output.json
"""

from __future__ import annotations

import json
import re
import sys

_ANSWERED = re.compile(r"\b[45]\d\d (?:Client|Server) Error")


def main(path: str) -> int:
    """Reads the check's output, a JSON object a line; returns the exit code."""
    broken, unreachable = [], 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            link = json.loads(line)
            if link["status"] != "broken":
                continue
            if link["uri"].startswith("http") and not _ANSWERED.search(link["info"]):
                unreachable += 1
            else:
                broken.append(link)
    for link in broken:
        sys.stderr.write(f"{link['filename']}:{link['lineno']}: {link['uri']}: {link['info']}\n")
    sys.stderr.write(f"{len(broken)} broken links, {unreachable} servers not reached\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
