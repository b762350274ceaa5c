"""`crossdock check`: red and green examples of every code that a job file alone can have."""

import re

import pytest
from crossdock.checking.check import check
from crossdock.checking.finding import Code
from fix_command import WriteJob
from fix_project import OF_PROJECTS

# A red line is marked with "# !"; every example gets the imports and, if it has none, a job.
IMPORTS = """from crossdock import Job, State, credentials, cursor, each, log, operation, parse_xml, resolve, set_data, state, tap, warn, when
from crossdock.adaptors import http, postgresql
from crossdock.values import date, null_if
"""
JOB = "\njob = Job(set_data(1))\n"

RED = {
    Code.SYNTAX_ERROR: ["job = Job(set_data(1)  # !", "return 1  # !\n", "'\\N{NOPE}'  # !"],
    Code.NO_JOB: ["main = Job(set_data(1))  # !", "jobs = [Job(set_data(1))]  # !"],
    Code.NOT_A_JOB: [
        "job = [set_data(1)]  # !",
        "job = http.get('/x')  # !",
        "def job(state):  # !\n    return state",
        "job = Job()  # !",
        "job = state.data  # !",
        "job = Job  # !",
    ],
    Code.UNKNOWN_NAME: [
        "job = Job(fn(lambda state: state))  # !",
        "def f(state):\n    return state.replace(a=parse_csv('a'))  # !",
        "job = Job(set_data(cursr('x')))  # !",
    ],
    Code.UNKNOWN_IMPORT: [
        "from crossdock import eech  # !",
        "from crossdock import date  # !",
        "from crossdock import http  # !",
        "from crossdock.values import dats  # !",
        "from crossdock.vales import date  # !",
        "import crossdock.vales  # !",
        "from crossdock import (\n    log,\n    nope,  # !\n)",
    ],
    Code.UNKNOWN_OPERATION: [
        "job = Job(http.gett('/x'))  # !",
        "def f(state):\n    return http.fetch('/x')  # !",
        "from crossdock.adaptors import http as h\nget = h.gets  # !",
        "import crossdock.adaptors as a\njob = Job(a.http.gett('/x'))  # !",
        "import crossdock\njob = crossdock.Jobs(set_data(1))  # !",
        "import crossdock_http\njob = Job(crossdock_http.gett('/x'))  # !",
    ],
    Code.ADAPTOR_NOT_INSTALLED: ["from crossdock.adaptors import odoo  # !", "from crossdock.adaptors import htp  # !"],
    Code.UNKNOWN_OPTION: [
        "job = Job(http.get('/x', qs={'a': 1}))  # !",
        "get = http.get\njob = Job(get('/x', querry={}))  # !",
        "def f(state):\n    return state.replace(a=http.get(\n        '/x').into('a').retry(2, wiat=1))  # !",
        "job = Job(\n    each([1],\n        http.post('/x', jsn={})))  # !",
        "@operation\ndef add(state, number):\n    return state\njob = Job(add(nmber=2))  # !",
        "x = date('2024', fmt='%Y')  # !",
        "options = {}\njob = Job(http.get('/x', qs=1, **options))  # !",
        "def rows(a):\n    return a\nx = rows(b=1)  # !",
    ],
    Code.UNKNOWN_CHOICE: [
        "job = Job(each([1], set_data(1), on_error='colect'))  # !",
        "job = Job(http.get(\n    '/x',\n    parse='jsn',  # !\n))",
        "def f(state):\n    return http.stream('/x', parse='nothing').result()  # !",
    ],
    Code.MISSING_ARGUMENT: [
        "job = Job(http.get())  # !",
        "job = Job(postgresql.upsert('t', {'a': 1}))  # !",
        "job = Job(http.get('/x').into())  # !",
        "job = Job(each(state.data))  # !",
        "x = lambda a: a\ny = x()  # !",
    ],
    Code.TOO_MANY_ARGUMENTS: [
        "job = Job(http.get('/x', {}, {}))  # !",
        "job = Job(http.get('/x', path='/y'))  # !",
        "def f(state):\n    return http.get('/x')(state, 1)  # !",
    ],
    Code.RESERVED_NAME: ["job = Job(http.get('/x').into('data'))  # !", "job = Job(http.get('/x').into('items'))  # !"],
    Code.HELPER_NOT_CALLED: [
        "job = Job(http.get)  # !",
        "job = Job(each([1], http.post))  # !",
        "job = Job(http.post('/x', {'id': http.get}))  # !",
        "@operation\ndef add(state, number):\n    return state\njob = Job(add)  # !",
    ],
    Code.NOT_AN_OPERATION: [
        "job = Job(set_data(1), None)  # !",
        "job = Job(state.data)  # !",
        "job = Job([set_data(1)])  # !",
        "job = Job(State)  # !",
        "job = Job(when(state.data, 'yes'))  # !",
        "job = Job(http.get('/x').result)  # !",
    ],
    Code.WRONG_PARAMETERS: [
        "job = Job(lambda: State())  # !",
        "def f(state, more):  # !\n    return state\njob = Job(f)",
        "def f(state, *, more):  # !\n    return state\njob = Job(each([1], f))",
        "job = Job(http.get('/x').catch(lambda error: error))  # !",
        "def rows():  # !\n    return []\njob = Job(postgresql.insert_many('t', rows))",
    ],
    Code.ASYNC_FUNCTION: [
        "async def f(state):  # !\n    return state\njob = Job(f)",
        "async def rows(state):  # !\n    return []\njob = Job(each(rows, set_data(1)))",
    ],
    Code.GENERATOR: ["def f(state):  # !\n    yield state\njob = Job(f)"],
    Code.RETURNS_NOTHING: [
        "def f(state):\n    if state.data:  # !\n        return state\njob = Job(f)",
        "def f(state):\n    print(1)  # !\njob = Job(f)",
        "def f(state):\n    if state.data:\n        return  # !\n    return state\njob = Job(f)",
        "def f(state):\n    for item in state.data:  # !\n        return state\njob = Job(each([1], f))",
        "job = Job(lambda state: None)  # !",
        "job = Job(lambda state: print(state))  # !",
        "def f(state):\n    left = None\n    return left  # !\njob = Job(f)",
        "def f(state):\n    return log(state.data)  # !\njob = Job(f)",
        "def f(state):\n    try:  # !\n        return state\n    except KeyError:\n        log('no')\njob = Job(f)",
        "@operation\ndef f(state, n):\n    log(n)  # !\njob = Job(f(1))",
        "def f(error, state):\n    log(error)  # !\njob = Job(http.get('/x').catch(f))",
        "def f(state):\n    return state if state.data else None  # !\njob = Job(f)",
        "def f(state):\n    match state.data:  # !\n        case 1:\n            return state\njob = Job(f)",
        "def f(state):\n    while state.data:  # !\n        return state\njob = Job(when(True, f))",
    ],
    Code.RETURNS_NO_STATE: [
        "job = Job(lambda state: [1])  # !",
        "def f(state):\n    return f'{state.data}'  # !\njob = Job(f)",
        "def f(state):\n    return 5  # !\njob = Job(each([1], f))",
    ],
    Code.OPERATION_DROPPED: [
        "def f(state):\n    http.post('/x', 1)  # !\n    return state\njob = Job(f)",
        "def f(state):\n    for r in state.data:\n        http.post('/x', r).retry(2)  # !\n    return state\njob = Job(f)",
        "def f(state):\n    [http.post('/x', r) for r in state.data]  # !\n    return state\njob = Job(f)",
        "def f(state):\n    hit = http.get('/x')  # !\n    return state\njob = Job(f)",
        "http.get('/x')  # !",
        "def f(state):\n    http.post('/x', 1)  # !\njob = Job(f)",
    ],
    Code.OPERATION_AS_VALUE: [
        "def f(state):\n    hit = http.get('/x')\n    return state.replace(a=hit['a'])  # !\njob = Job(f)",
        "def f(state):\n    for row in http.get_all('/x'):  # !\n        log(row)\n    return state\njob = Job(f)",
        "def f(state):\n    hit = http.get('/x')\n    return state if hit else state.without('a')  # !\njob = Job(f)",
        "job = Job(each(http.get_all('/x'), set_data(1)))  # !",
        "job = Job(http.post('/x', {'a': http.get('/y')}))  # !",
        "def f(state):\n    return state.replace(a=http.get('/x').data)  # !\njob = Job(f)",
    ],
    Code.STATE_DROPPED: [
        "def f(state):\n    state.replace(a=1)  # !\n    return state\njob = Job(f)",
        "def f(s):\n    s | {'a': 1}  # !\n    return s\njob = Job(f)",
        "def f(state):\n    state.result(1)  # !\njob = Job(f)",
        "def f(state):\n    state = state.replace(a=1)\n    state.without('a')  # !\n    return state\njob = Job(f)",
        "def f(error, state):\n    state.replace(a=1)  # !\n    return state\njob = Job(http.get('/x').catch(f))",
    ],
    Code.VALUE_DROPPED: ["def f(state):\n    date(state.data)  # !\n    return state", "null_if('x')  # !"],
    Code.STATE_WRITTEN: [
        "def f(state):\n    state['a'] = 1  # !\n    return state\njob = Job(f)",
        "def f(state):\n    state.data = 1  # !\n    return state\njob = Job(f)",
        "state.data['x'] = 1  # !",
        "def f(state):\n    state.data += 1  # !\n    return state\njob = Job(f)",
        "def f(state):\n    del state['a']  # !\n    return state\njob = Job(f)",
        "def f(state):\n    state.update(a=1)  # !\n    return state\njob = Job(f)",
    ],
    Code.LAZY_MISUSED: [
        "job = Job(*[set_data(v) for v in state.data])  # !",
        "job = Job(when(state.data['a'] == 1, set_data(1)))  # !",
        "job = Job(http.get(f\"/x/{state.data['id']}\"))  # !",
        "job = Job(http.get('/x/' + state.data['id']))  # !",
        "if state.data:  # !\n    log(1)",
        "job = Job(set_data(date(state.data['d'])))  # !",
        "job = Job(set_data(len(state.data)))  # !",
        "job = Job(set_data(state.data.get('x')))  # !",
        "def f(s):\n    return s.result(state.data)  # !\njob = Job(f)",
        "def f(s):\n    return state  # !\njob = Job(f)",
        "def f(s):\n    for v in state.data:  # !\n        log(v)\n    return s\njob = Job(f)",
        "job = Job(set_data(', '.join(state.data)))  # !",
        "job = Job(set_data(state.data[1:]))  # !",
        "job = Job(set_data(not state.data))  # !",
        "since = cursor('x')\njob = Job(set_data(f'{since}'))  # !",
    ],
    Code.IO_AT_IMPORT: [
        "ROWS = open('x').read()  # !",
        "import requests\nROWS = requests.get('http://x').json()  # !",
        "from httpx import get\nROWS = get('http://x')  # !",
        "import subprocess as s\ns.run(['ls'])  # !",
        "from urllib.request import urlopen\nROWS = urlopen('http://x')  # !",
        "import psycopg\nwith psycopg.connect('x') as c:  # !\n    pass",
        "import socket\nx = socket.create_connection(('x', 1))  # !",
        "from pathlib import Path\nROWS = Path('x').read_text()  # !",
        "def f(a=open('x')):  # !\n    return a",
    ],
    Code.RUN_AT_IMPORT: ["ROWS = http.get('/x').result()  # !", "ROWS = http.get('/x')({})  # !"],
    Code.SECRET_INLINE: [
        "job = Job(http.post('/x', {'password': 'hunter2'}))  # !",
        "job = Job(http.get('/x', headers={'Authorization': 'Bearer abcdef123456'}))  # !",
        "job = Job(http.get('https://amina:s3cret@example.org/x'))  # !",
        "job = Job(http.get('/x?token=abcdef123456'))  # !",
        "API_KEY = 'k3y-0123456789'  # !",
        "job = Job(http.get('/x', headers={'X-API-Key': 'k3y0123456789'}))  # !",
        "PAT = 'd2pat_5xVA12xyUbWNedQxy4ohH77WlxRGVvZZ1151814092'  # !",
        "x = dict(apiToken='abcd12345678')  # !",
        "x = {\n    'a': 1,\n    'client_secret': 'abc' + 'd12345678',  # !\n}",
    ],
    Code.UNKNOWN_CODE: [
        "x = 1  # crossdock: ignore[unknown_optoin]  # !",
        "x = 1  # crossdock: ignore  # !",
        "x = 1  # crossdock: ignore[]  # !",
        "x = 1  #crossdock:ignore[secret_inline, E501]  # !",
    ],
    Code.ADVICE_MIXED_WRITES: [
        "def f(state):\n    http.post('/x', 1).result()\n    return postgresql.insert('t', state.data)\njob = Job(each(state.data, f))  # !",
        "job = Job(postgresql.sql('delete from t'), http.post('/x', 1))  # !",
        "job = Job(postgresql.insert('t', {'a': 1}).into('x'), each(state.data, http.request('POST', '/x')))  # !",
    ],
    Code.ADVICE_UNUSED_RESULT: ["def f(state):\n    http.get('/x').result()  # !\n    return state\njob = Job(f)"],
}

GREEN = {
    Code.SYNTAX_ERROR: ["job = Job(set_data(1))", "x = '\\d'"],
    Code.NO_JOB: [
        "job = Job(set_data(1))",
        "main = Job(set_data(1))\njob = main",
        "from somewhere import job",
        "from somewhere import *",
    ],
    Code.NOT_A_JOB: [
        "from somewhere import build\njob = build()",
        "from somewhere import made\n@made\ndef job(state):\n    return state",
        "job = Job(Job(set_data(1)))",
        "job = Job(*[set_data(1)])",
    ],
    Code.UNKNOWN_NAME: [
        "def f(state):\n    return state.replace(a=later())\ndef later():\n    return 1\n",
        "x = [y for y in range(3) if (z := y)]\nw = z",
        "def f():\n    global late\n    late = 1\nx = lambda: late",
        "class A:\n    b = 1\n    c = [b for _ in ()]\n",
        "try:\n    x = unicode\nexcept NameError:\n    x = str",
        "match 1:\n    case {'a': b, **rest}:\n        log(b, rest)\n    case [c, *d] as e:\n        log(c, d, e)",
        "from somewhere import *\nx = anything",
        "def f(x: 'Nope', *a: Nope, **k: Nope) -> Nope:\n    y: Nope = 1\n    return x, a, k, y, __file__",
        "try:\n    x = 1\nexcept KeyError as error:\n    log(error)",
    ],
    Code.UNKNOWN_IMPORT: [
        "from crossdock import each as e, errors, values",
        "from crossdock.common import flow",
        "import crossdock.values as v\nx = v.date('2024-01-01')",
        "from . import nope",
        "try:\n    from crossdock import nope\nexcept ImportError:\n    nope = None",
    ],
    Code.UNKNOWN_OPERATION: [
        "pages = http.Cursor\njob = Job(http.get('/x'))",
        "def f(http):\n    return http.gett()",
        "http = None\nx = http.gett",
        "import crossdock\njob = crossdock.Job(crossdock.set_data(1))",
        "import crossdock.adaptors\njob = Job(crossdock.adaptors.http.get('/x'))",
        "error = http.HttpError",
    ],
    Code.ADAPTOR_NOT_INSTALLED: [
        "from crossdock.adaptors import dhis2",
        "try:\n    from crossdock.adaptors import odoo\nexcept ImportError:\n    odoo = None",
    ],
    Code.UNKNOWN_OPTION: [
        "job = Job(http.get('/x', query={'a': 1}, credential='crm'))",
        "job = Job(http.get('/x').retry(2, wait=3))",
        "options = {}\njob = Job(http.get('/x', **options))",
        "def rows(**more):\n    return more\nx = rows(b=1)",
        "job = Job(tap(lambda: warn('CODE', code=1)))",
        "log('a', 'b')\nx = null_if(1, 2, 3)\nwarn_later = tap(warn, 'CODE')\njob = Job(warn_later)",
    ],
    Code.UNKNOWN_CHOICE: [
        "job = Job(each([1], set_data(1), on_error='collect', commit='item'), http.get('/x', parse=None))",
        "job = Job(http.get_all('/x', pages='next'), http.get('/x', parse=state.kind))",
    ],
    Code.MISSING_ARGUMENT: [
        "arguments = ['/x']\njob = Job(http.get(*arguments))",
        "options = {'key': 'id'}\njob = Job(postgresql.upsert('t', {'a': 1}, **options))",
        "def rows(a, b=1, /, *c, d=2, **e):\n    return a\nx = rows(1)",
    ],
    Code.TOO_MANY_ARGUMENTS: [
        "job = Job(http.post('/x', {}))",
        "def f(state):\n    return http.get('/x')(state)\njob = Job(f)",
    ],
    Code.RESERVED_NAME: ["job = Job(http.get('/x').into('rows'))"],
    Code.HELPER_NOT_CALLED: ["get = http.get\njob = Job(get('/x'))", "job = Job(tap(print, state.data))"],
    Code.NOT_AN_OPERATION: [
        "from somewhere import step\njob = Job(step, when(state.data, step, None))",
        "steps = [set_data(1)]\njob = Job(*steps)",
        "class Step:\n    def __call__(self, state):\n        return state\njob = Job(Step())",
    ],
    Code.WRONG_PARAMETERS: [
        "job = Job(lambda state, more=1: state, lambda *all: all[0])",
        "job = Job(http.get('/x').catch(lambda error, state: state))",
        "job = Job(http.get_all('/x', until=lambda answer: True, pages=lambda answer: None))",
        "job = Job(http.get('/x', errors={404: lambda answer: False}))",
        "job = Job(tap(lambda a, b: None, 1, 2))",
    ],
    Code.ASYNC_FUNCTION: ["async def f(state):\n    return state"],
    Code.GENERATOR: ["def rows(state):\n    yield 1\njob = Job(each(rows, set_data(1)))"],
    Code.RETURNS_NOTHING: [
        "def f(state):\n    if state.data:\n        return state\n    raise ValueError\njob = Job(f)",
        "def refuse():\n    raise ValueError\ndef f(state):\n    if state.data:\n        return state\n    refuse()\njob = Job(f)",
        "from somewhere import refuse\ndef f(state):\n    if state.data:\n        return state\n    refuse()\njob = Job(f)",
        "def f(state):\n    while True:\n        if state.data:\n            return state\njob = Job(f)",
        "from somewhere import checked\n@checked\ndef refuse():\n    log(1)\ndef f(state):\n    if state.data:\n        return state\n    refuse()\njob = Job(f)",
        "def f(state):\n    left = None\n    def keep():\n        nonlocal left\n        left = state\n    keep()\n    return left\njob = Job(f)",
        "def f(state):\n    try:\n        return state\n    finally:\n        log(1)\njob = Job(f)",
        "def f(state):\n    with open('x') as file:\n        return state.result(file.read())\njob = Job(f)",
        "def f(state):\n    match state.data:\n        case 1:\n            return state\n        case _:\n            return state\njob = Job(f)",
        "def helper(state):\n    log(state)\ndef f(state):\n    helper(state)\n    return state\njob = Job(f)",
        "job = Job(tap(lambda value: None, 1), set_data(lambda state: None))",
        "def f(state):\n    match state.data:\n        case 1 | _:\n            return state\njob = Job(f)",
        "def f(state):\n    if state.data == 0:\n        return state\n"
        + "".join(f"    elif state.data == {n}:\n        return state\n" for n in range(1, 90))
        + "    else:\n        return state\njob = Job(f)",
        "import sys\ndef f(state):\n    if state.data:\n        return state\n    sys.exit(1)\njob = Job(f)",
        "def f(state):\n    def inner():\n        return None\n    return state\njob = Job(f)",
    ],
    Code.RETURNS_NO_STATE: [
        "job = Job(lambda state: {'data': 1}, lambda state: State(a=1), lambda state: state.data['next'])",
        "job = Job(set_data(lambda state: [1]))",
    ],
    Code.OPERATION_DROPPED: [
        "def f(state):\n    http.post('/x', 1).result()\n    return http.post('/x', 2)\njob = Job(f)",
        "def f(state):\n    ops = [http.post('/x', r) for r in state.data]\n    return Job(*ops)\njob = Job(f)",
        "ops = []\nops.append(http.get('/x'))\njob = Job(*ops)",
        "unused_step = http.get('/x')",
        "def f(state):\n    class Steps:\n        first = http.get('/x')\n    return Steps.first\njob = Job(f)",
    ],
    Code.OPERATION_AS_VALUE: [
        "def f(state):\n    hit = http.get('/x').result()\n    return state.replace(a=hit['a'] if hit else 1)\njob = Job(f)",
        "job = Job(*[step for step in Job(set_data(1))])",
        "def f(state):\n    step = http.get('/x')\n    log(step.name, step.effect)\n    return step(state)\njob = Job(f)",
    ],
    Code.STATE_DROPPED: [
        "def f(state):\n    state = state.replace(a=1)\n    return state | {'b': 2}\njob = Job(f)",
        "def f(text):\n    text.replace('a', 'b')\n    return text",
        "def f(state):\n    state = [1]\n    state.copy()\n    return State()\njob = Job(f)",
    ],
    Code.VALUE_DROPPED: ["def f(state):\n    log(date(state.data))\n    return state"],
    Code.STATE_WRITTEN: [
        "def f(state):\n    row = dict(state.data)\n    row['a'] = 1\n    return state.result(row)\njob = Job(f)",
        "def f(state):\n    state = dict(state)\n    state['a'] = 1\n    return state\njob = Job(f)",
        "def f(rows):\n    rows.update(a=1)\n    return rows",
    ],
    Code.LAZY_MISUSED: [
        "job = Job(http.get('/x', query={'a': state.data['a'], 'since': cursor('x')}))",
        "def f(state):\n    return state.result(f\"{state.data['a']}\" if state.data else 1)\njob = Job(f)",
        "def f(s):\n    http.post('/x', state.data['a']).result()\n    return s\njob = Job(f)",
        "def f(s):\n    return s.result(resolve(state.data['a']))\njob = Job(f)",
        "x = f'{state.data!r}'",
        "job = Job(each(state.rows, set_data(state.data)))",
    ],
    Code.IO_AT_IMPORT: [
        "def f(state):\n    return state.result(open('x').read())\njob = Job(f)",
        "if __name__ == '__main__':\n    open('x')",
        "from pathlib import Path\nHERE = Path(__file__).parent\nread = lambda: open('x')",
        "print('loading')",
        "open = len\nx = open('x')",
    ],
    Code.RUN_AT_IMPORT: [
        "def f(state):\n    return http.get('/x')(state)\njob = Job(f)",
        "from somewhere import past\nx = past.result()",
    ],
    Code.SECRET_INLINE: [
        "job = Job(postgresql.upsert('t', {'a': 1}, key='visit_id'))",
        "job = Job(http.get('/x', headers={'Authorization': credentials.crm.token}))",
        "job = Job(http.get('/x', credential='kobo'))",
        "x = {'password': 'env:NAME', 'token': 'API_TOKEN', 'author': 'Amina K 12', 'keyword': 'malaria12345'}",
        "x = {'password': '', 'token_url': 'https://x.org/token12', 'session': 'morning', 'key': 'abcdef123456'}",
        "x = {'Password': 'Mot de passe', 'password': 'user_password', 'api_key': '{key}'}",
        "USER_ID = 'e298884bfb6ee2d2b38591a6e8ae0228'\nSHEET = '1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms'",
        "URL = 'https://example.org:8080/x?page_token={token}&a=b@c'",
    ],
    Code.UNKNOWN_CODE: [
        "job = Job(http.get('/x', qs={}))  # crossdock: ignore[unknown_option]",
        "job = Job(http.get('/x', qs={'a': f'{state.a}'}))  # noqa: E501  # crossdock: ignore[ unknown_option,lazy_misused ]",
        "job = Job(\n    http.get('/x', qs={}),  #crossdock:ignore[unknown_option]\n)",
        "x = '# crossdock: ignore[nothing]'  # crossdock: the framework",
    ],
    Code.ADVICE_MIXED_WRITES: [
        "def f(state):\n    http.post('/x', 1).result()\n    return postgresql.insert('t', state.data)\njob = Job(each(state.data, f, commit='item'))",
        "job = Job(http.get('/x'), postgresql.insert('t', {'a': 1}), http.request('GET', '/x'))",
        "job = Job(postgresql.sql('select 1'), http.post('/x', 1))",
    ],
    Code.ADVICE_UNUSED_RESULT: [
        "def f(state):\n    http.download('/x', 'x.pdf').result()\n    http.delete('/x').result()\n    return state\njob = Job(f)",
    ],
}
ELSEWHERE = {code for code in Code if code.startswith("credential")} | {
    Code.ADAPTOR_BROKEN,
    Code.ADAPTOR_WRONG_API,
    Code.ADVICE_NO_STORE,
    Code.ADVICE_UNDOCUMENTED,
    *OF_PROJECTS,
}
"""Those that need more than a job file are in the other ``test_check_*`` and in ``test_project_faults``."""


def whole(source: str) -> str:
    has_job = re.search(r"\bjob\b|Job\(", source) is not None
    return IMPORTS + source + ("" if has_job else JOB)


def examples(table):
    return [pytest.param(code, source, id=f"{code}-{i}") for code in table for i, source in enumerate(table[code])]


@pytest.mark.parametrize(("code", "source"), examples(RED))
def test_a_mistake_is_found_at_its_line_and_nothing_else(code, source, write_job: WriteJob):
    text = whole(source)
    marked = next(number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# !"))

    found = check([str(write_job(text))]).findings

    assert [(finding.line, finding.code) for finding in found] == [(marked, code)], [*map(str, found)]
    assert all(finding.message and finding.fix for finding in found)


@pytest.mark.parametrize(("code", "source"), examples(GREEN))
def test_what_is_right_or_not_certain_is_no_finding(code, source, write_job: WriteJob):
    assert [*map(str, check([str(write_job(whole(source)))]).findings)] == []


def test_a_comment_silences_what_it_names_on_its_line_alone(write_job: WriteJob):
    wrong = "http.get('/x', qs={'a': f'{state.a}'}),"
    job = write_job(f"{IMPORTS}job = Job(\n{wrong}  # crossdock: ignore[unknown_option]\n{wrong}\n)")

    found = check([str(job)]).findings

    line = len(IMPORTS.splitlines()) + 2
    assert [(finding.line, finding.code) for finding in found] == [
        (line, Code.LAZY_MISUSED),
        (line + 1, Code.LAZY_MISUSED),
        (line + 1, Code.UNKNOWN_OPTION),
    ]


def test_every_code_has_a_red_and_a_green_example():
    assert set(RED) | ELSEWHERE == set(Code)
    assert set(GREEN) == set(RED)
