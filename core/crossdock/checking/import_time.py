"""Rules: importing a job does nothing but build it; what talks to the world waits for the run."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.things import Built, Foreign, Method, Thing

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_SUBPROCESS = ("run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput")
_IO = frozenset(
    {"open", "input", "io.open", "os.system", "os.popen", "time.sleep", "urllib.request.urlopen", "httpx.stream"}
    | {"urllib.request.urlretrieve", "socket.socket", "socket.create_connection", "socket.getaddrinfo"}
    | {"psycopg.connect", "psycopg2.connect", "sqlite3.connect", "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP"}
    | {"http.client.HTTPConnection", "http.client.HTTPSConnection"}
    | {f"{module}.{verb}" for module in ("requests", "httpx") for verb in _VERBS}
    | {f"subprocess.{name}" for name in _SUBPROCESS}
)
_OF_FILES = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "open"})


def import_time(file: JobFile) -> Iterator[Finding]:
    """Find calls that reach files, systems or processes while the job is only imported."""
    for call in file.tree.all(ast.Call):
        called = file.meanings.of(call.func)
        what = _reached(file, call, called)
        if what and _is_import_time(file, call):
            message = f"{what}(…) is called while the job is imported, before it runs"
            yield file.finding(call, Code.IO_AT_IMPORT, message, "Do it in a function of the state.")
        elif (runs := _runs(called)) and _is_import_time(file, call):
            message = f"{runs} runs while the job is imported"
            fix = "Put the operation into the job, or into a function of the state."
            yield file.finding(call, Code.RUN_AT_IMPORT, message, fix)


def _reached(file: JobFile, call: ast.Call, called: Thing | None) -> str | None:
    """Give the name of a function that reaches the world, if that is what is called."""
    if isinstance(called, Foreign):
        return called.name if called.name in _IO else None
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in _OF_FILES:
        return None
    value = function.value
    made = file.meanings.of(value.func) if isinstance(value, ast.Call) else None
    return f"Path.{function.attr}" if made == Foreign("pathlib.Path") else None


def _runs(called: Thing | None) -> str | None:
    """Give the operation of an adaptor that a call runs; what a Job runs is not certain to reach a system."""
    built = called.of if isinstance(called, Method) and called.name == "result" else called
    root = built
    while isinstance(root, Built) and isinstance(root.inner, Built):
        root = root.inner
    if not isinstance(built, Built) or not isinstance(root, Built) or root.declaration is None:
        return None
    return f"{built.name}(…)" if root.declaration.adaptor is not None else None


def _is_import_time(file: JobFile, node: ast.AST) -> bool:
    """Tell whether a call happens while the file is imported; what a test guards is not certain to."""
    inner = node
    for outer in file.tree.around(node):
        if isinstance(outer, _FUNCTIONS) and inner not in _outside(outer):
            return False
        if isinstance(outer, ast.If | ast.GeneratorExp):
            return False
        inner = outer
    return True


def _outside(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    """Give what is evaluated where a function is defined: its defaults and decorators."""
    return [*function.args.defaults, *function.args.kw_defaults, *getattr(function, "decorator_list", ())]
