"""The line of a job that built an operation, and whether that line drops it."""

import linecache
import os
from itertools import islice
from opcode import opmap
from types import CodeType, FrameType

_POP_TOP = opmap["POP_TOP"]
_CACHE = 0
_MOST_SITES = 10_000
_OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


class Site:
    """Where an operation was built.

    Args:
        file: The absolute path of the source file.
        line: The line in it.
        drops: Whether the built operation is thrown away there: it stands as a bare statement.
    """

    __slots__ = ("call", "code", "drops", "file", "line")

    def __init__(
        self, file: str, line: int, *, drops: bool = False, code: CodeType | None = None, call: str = ""
    ) -> None:
        self.file = file
        self.line = line
        self.drops = drops
        self.code = code
        self.call = call
        """What is called there, as far as the source tells: ``http.get``."""

    def __str__(self) -> str:
        return "crossdock" if self._is_own else f"{short(self.file)}:{self.line}"

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
        return "" if self._is_own else linecache.getline(self.file, self.line).strip()

    @property
    def _is_own(self) -> bool:
        """Whether crossdock built it, such as the loop of a step that runs once per item: no line of a job did."""
        return self.file.startswith(_OWN)


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
    drops = _next_opcode(code, frame.f_lasti) == _POP_TOP
    site = Site(code.co_filename, frame.f_lineno, drops=drops, code=code, call=_called(frame) if drops else "")
    _sites[key] = site
    return site


def _next_opcode(code: CodeType, at: int) -> int:
    instructions = code.co_code
    at += 2
    while at < len(instructions) and instructions[at] == _CACHE:
        at += 2
    return instructions[at] if at < len(instructions) else _CACHE


def _called(frame: FrameType) -> str:
    """Give the function of the call that a frame is in the middle of, from the source; "" if there is none."""
    code = frame.f_code
    line, end_line, column, end_column = next(islice(code.co_positions(), frame.f_lasti // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return ""
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(line, end_line + 1)]
    if not any(lines):
        return ""
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    return _function_of(b"".join(lines).decode("utf-8", "replace"))


def _function_of(call: str) -> str:
    """Give the last name of what a call calls.

    >>> _function_of("ops.extend(map(get, [1]))"), _function_of("http.get(1).into('x')")
    ('extend', 'into')
    """
    import ast  # imported late: only bare statements are looked at

    try:
        called = ast.parse(f"({call})", mode="eval").body
    except SyntaxError:
        return ""
    function = called.func if isinstance(called, ast.Call) else called
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
