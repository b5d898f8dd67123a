"""Which lines of server output a terminal can do without: uWSGI logs its whole startup each time.

Only lines that uWSGI itself is known to write are left out; anything else is the application's, and is shown.
"""

import re

_UWSGI_SAYS = re.compile(
    r"""^(
    \[uWSGI\]\ getting\ INI | uwsgi\ socket\ \d+
    | \*\*\*\ (Starting|Operational|Stats|uWSGI\ is\ running|WARNING:\ you\ are\ running)
    | compiled\ with\ version | os:\ Linux | nodename:\ | machine:\ (x86_64|aarch64) | clock\ source:\ unix | pcre\ jit
    | detected\ (number|binary|max)
    | current\ working\ directory | uWSGI\ running\ as\ root | chdir\(\)\ to | your\ (processes|memory|server|mercy)
    | lock\ engine | thunder\ lock | Python\ (version|main\ interpreter|threads)|python\ threads | ---\ Python\ VM
    | mapped\ \d+\ bytes | WSGI\ app\ \d+ | spawned\ uWSGI | Gracefully\ killing | gracefully\ \(RE\) | goodbye\ to
    | worker\ \d+\ (buried|killed|cheaped) | \.\.\.gracefully | uWSGI\ worker\ \d+
    | Set\ PythonHome\ to | setting\ request\ body\ buffering\ size\ to
    | \[reload-os-env\]
    | .*\ -\ graceful\ shutdown\ triggered | .*\ -\ \*\*\*\ (PAUSE|worker) | \d\d:\d\d:\d\d\ agent\ info:
    )""",
    re.VERBOSE,
)


def worth_showing(line: str) -> bool:
    return bool(line.strip()) and not _UWSGI_SAYS.match(line)
