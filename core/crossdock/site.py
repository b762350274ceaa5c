"""The line of a job that built an operation, and whether that line drops it."""

import linecache
import os
from opcode import opmap
from types import CodeType, FrameType

_POP_TOP = opmap["POP_TOP"]
_CACHE = 0
_MOST_SITES = 10_000


class Site:
    """Where an operation was built.

    Args:
        file: The absolute path of the source file.
        line: The line in it.
        drops: Whether the built operation is thrown away there: it stands as a bare statement.
    """

    __slots__ = ("code", "drops", "file", "line")

    def __init__(self, file: str, line: int, *, drops: bool = False, code: CodeType | None = None) -> None:
        self.file = file
        self.line = line
        self.drops = drops
        self.code = code

    def __str__(self) -> str:
        return f"{short(self.file)}:{self.line}"

    def deepest(self, error: BaseException) -> "Site":
        """Give the last line of this file on the way to an error; this one if none was on it."""
        trace, line = error.__traceback__, self.line
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return Site(self.file, line)

    @property
    def text(self) -> str:
        """The source line itself."""
        return linecache.getline(self.file, self.line).strip()


def short(file: str) -> str:
    """Give a path relative to the working directory if it lies below, else absolute."""
    relative = os.path.relpath(file) if os.path.isabs(file) else file
    return file if relative.startswith("..") else relative


_sites: dict[tuple[int, int], Site] = {}


def site_of(frame: FrameType) -> Site:
    """Give the site of the call that a frame is in the middle of."""
    # The site keeps its code object alive, so the id can't come to mean another one.
    key = id(frame.f_code), frame.f_lasti
    site = _sites.get(key)
    return site if site is not None else _remember(key, frame)


def _remember(key: tuple[int, int], frame: FrameType) -> Site:
    if len(_sites) >= _MOST_SITES:  # code that is generated again and again
        _sites.clear()
    code = frame.f_code
    site = Site(code.co_filename, frame.f_lineno, drops=_next_opcode(code, frame.f_lasti) == _POP_TOP, code=code)
    _sites[key] = site
    return site


def _next_opcode(code: CodeType, at: int) -> int:
    instructions = code.co_code
    at += 2
    while at < len(instructions) and instructions[at] == _CACHE:
        at += 2
    return instructions[at] if at < len(instructions) else _CACHE
