"""``crossdock run --step``: stops before each top-level operation, with pdb at hand.

The job runs in the command's own process: the process of an unwatched run is not the terminal's,
so nobody could type into it.
"""

import ast
import os
import pdb
import signal
import sys
from bdb import BdbQuit
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import CodeType, FrameType
from typing import Any, TextIO

from crossdock.lazy import call_with
from crossdock.operation import Operation
from crossdock.plugins import hookimpl
from crossdock.redaction import Redactor
from crossdock.site import Site
from crossdock.state import State
from crossdock.worker.child import cancel

_HINT = "the state is in `state`; c: run it and stop at the next, s: step into it, finish: run the rest, q: give up"


class Stepper:
    """A plugin that stops before each top-level operation.

    Args:
        folder: Where the files lie that can be stepped through: the job's, and its neighbours.
    """

    def __init__(self, folder: str) -> None:
        self._debugger = _Debugger(folder)
        self._number = 0

    @hookimpl(wrapper=True)
    def crossdock_operation(self, operation: Operation, state: State) -> Any:
        """Stop at the line of the operation, so that also ``operation.result()`` works at the prompt."""
        self._number += 1
        if not self._debugger.finished:
            self._debugger.message(f"\n{self._number}  {operation!r}" + ("" if self._number > 1 else f"\n   {_HINT}"))
            call_with(lambda state: self._debugger.stop(operation, state), state)
        return (yield)


class _Debugger(pdb.Pdb):
    """The debugger of Python, standing at the line of an operation and blind for what is not the job's."""

    def __init__(self, folder: str) -> None:
        super().__init__(nosigint=True)  # Ctrl-C ends the run, as it does without --step
        self.finished = False
        self._folder = os.path.join(folder, "")
        self._here: CodeType | None = None

    def stop(self, operation: Operation, state: State) -> None:
        """Stop at the line that built an operation.

        Args:
            operation: What runs next.
            state: What it will receive: ``state`` at the prompt.
        """
        sys.settrace(None)  # who stepped out of the last operation is not shown the way here
        self._here = _standing_at(operation.site)
        names = {**_names_of(operation.site.file), "state": state, "operation": operation}
        exec(self._here, {**names, "_begin": self._begin})  # noqa: S102 - a line without effect, in which pdb stops

    def _begin(self) -> None:
        """Stop at the next line of the caller."""
        caller = sys._getframe(1)
        self.reset()
        self.botframe = caller
        caller.f_trace = self.trace_dispatch
        self.set_step()
        sys.settrace(self.trace_dispatch)

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Let ``q`` end the run as Ctrl-C does: nothing in a job may handle it."""
        try:
            return super().trace_dispatch(frame, event, arg)
        except BdbQuit:
            raise KeyboardInterrupt from None

    def stop_here(self, frame: FrameType) -> bool:
        """Tell whether to stop in a frame that is stepped into; breakpoints may be anywhere."""
        file = frame.f_code.co_filename
        return file.startswith(self._folder) and "site-packages" not in file and super().stop_here(frame)

    def user_return(self, frame: FrameType, return_value: Any) -> None:
        """Stop where a function returns, but not on the way from the prompt into the operation."""
        if frame.f_code is not self._here:
            super().user_return(frame, return_value)

    def do_next(self, arg: str) -> bool | None:
        """Run to the next line; at an operation, run it."""
        return self.do_continue(arg) if self._is_here() else super().do_next(arg)

    def do_return(self, arg: str) -> bool | None:
        """Run until the function returns; at an operation, run it."""
        return self.do_continue(arg) if self._is_here() else super().do_return(arg)

    def do_finish(self, arg: str) -> bool | None:
        """Run the rest of the job without stopping."""
        self.finished = True
        return self.do_continue(arg)

    do_n, do_r = do_next, do_return

    def _is_here(self) -> bool:
        return self.curframe is not None and self.curframe.f_code is self._here


def _standing_at(site: Site) -> CodeType:
    """Make code that does nothing at a line; another line before it begins to watch."""
    begin, here = ast.parse("_begin()\nstate").body
    for statement, line in ((begin, site.line + 1), (here, site.line)):
        for node in ast.walk(statement):
            if isinstance(node, ast.stmt | ast.expr):
                node.lineno = node.end_lineno = line
    return compile(ast.Module([begin, here], type_ignores=[]), site.file, "exec")


def _names_of(file: str) -> dict[str, Any]:
    """Give what the module of a file knows by name."""
    modules = (module for module in list(sys.modules.values()) if getattr(module, "__file__", None) == file)
    return dict(vars(next(modules, ast))) if file else {}


class _Masked:
    """A stream that masks secrets in what Python code writes to it."""

    def __init__(self, stream: TextIO, redact: Redactor) -> None:
        self._stream = stream
        self._redact = redact

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        return self._stream.write(self._redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def foreground(redact: Redactor) -> Iterator[None]:
    """Let a job run in this process: what it prints goes to the terminal, and signals end it.

    Args:
        redact: Masks the secrets in what it prints.
    """
    streams, output = (sys.stdout, sys.stderr), os.dup(1)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, cancel)
    if isinstance(sys.stdout, TextIOWrapper):  # whose text would wait, if it was a file or a pipe
        sys.stdout.reconfigure(line_buffering=True)
    os.dup2(2, 1)
    sys.stdout, sys.stderr = (_Masked(stream, redact) for stream in streams)
    try:
        yield
    finally:
        sys.settrace(None)
        sys.stdout, sys.stderr = streams
        sys.stdout.flush()
        os.dup2(output, 1)
        os.close(output)
        for number, handler in handlers.items():
            signal.signal(number, handler)
