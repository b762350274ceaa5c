"""The HTTP library: httpx and its httpcore, imported here and nowhere else.

Their successor, httpx2 with httpcore2, has the same interface; ``make check-httpx2`` runs the tests with it.
"""

import httpcore
import httpx

__all__ = ["httpcore", "httpx"]
