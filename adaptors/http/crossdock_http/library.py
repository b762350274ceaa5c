"""The HTTP library: httpx and its httpcore, imported here and nowhere else.

Their successor, httpx2 with httpcore2, has the same interface; ``make check-httpx2`` runs the tests with it.
"""

import logging

import httpcore
import httpx

__all__ = ["httpcore", "httpx"]

for _library in (httpx, httpcore):  # they log whole URLs, with the secrets in them
    logging.getLogger(_library.__name__).setLevel(logging.WARNING)
