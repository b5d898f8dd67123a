"""A small module of ours that runs in every worker: how it ends, and what a signal to it interrupts.

How it ends. uWSGI calls the attribute `atexit` of its module when a worker ends, before it would tear the interpreter
down. With skip-atexit-teardown the tear-down is left out, and with it what it begins with: waiting for threads and
executors that are not done (their tasks were lost), and Python's atexit functions, where tracing and error reporting
flush what they still hold (0 of 4 were called; with this 4 of 4). An application that sets uwsgi.atexit itself would
replace ours, and only its own function would run; so what it sets is kept beside ours and called first. It sees the
attribute as under plain uWSGI, absent until it sets it: one that calls what was there before would call itself. The
same holds for post_fork_hook, which we need for the next matter.

What a signal interrupts. uWSGI waits with poll() until it may read a request or go on writing an answer, and takes a
poll() that a signal ended for a failed one (core/writer.c, core/reader.c; 2.0.31): the answer stops there, and without
a Content-Length half of it looks like all of it. Every worker gets a signal when its generation retires, and its main
thread, which serves requests too, is where the kernel delivers it: of answers of 4 MiB whose client waited, one per
worker came as 228 KiB. So the main thread blocks that signal, and a thread of ours takes it.
- With several threads it is SIGHUP, to end. uWSGI's handler sets a flag and closes a pipe, which wakes all threads that
  wait for a connection.
- With one thread it is SIGTSTP, to pause. It only wakes the worker from its wait for a connection, so that it sees the
  flag that the master has set. Our thread does that with SIGWINCH, which the main thread does not block, until /proc
  shows that it has paused, and only while it shows that it waits for a connection. Where a worker may not read its own
  system call there (after root has become another user, in a sandbox without that file) the signal stays uWSGI's.
"""

SHIM_NAME = "uwsgi_autopilot_worker.py"
SHIM = '''\
"""Written by uwsgi-autopilot: ends the interpreter as Py_Finalize begins, without the tear-down that follows there, and
keeps a signal from breaking off the answer that the main thread may be writing."""

import _thread
import atexit
import os
import signal
import sys
import threading
import time
import types

import uwsgi

theirs = {}


def attribute(name):
    def get(module):
        if name not in theirs:
            raise AttributeError(f"module 'uwsgi' has no attribute {name!r}")
        return theirs[name]

    def put(module, function):
        theirs[name] = function

    def delete(module):
        theirs.pop(name, None)

    return property(get, put, delete)


class Module(types.ModuleType):
    atexit = attribute("atexit")
    post_fork_hook = attribute("post_fork_hook")


def begin():
    one = int(uwsgi.opt["threads"]) == 1
    if uwsgi.worker_id() and not (one and not system_call()):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP if one else signal.SIGHUP})
        _thread.start_new_thread(take_pauses if one else take_ends, (_thread.get_ident(),))
    if "post_fork_hook" in theirs:
        theirs["post_fork_hook"]()


def take_ends(main):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    while True:
        signal.pause()


def take_pauses(main):
    while True:
        signal.sigwait({signal.SIGTSTP})
        call = system_call()
        while call and not (call[0] in POLL and call[2] == "0x0"):
            if call[0] in EPOLL and call[3] == "0x1":
                signal.pthread_kill(main, signal.SIGWINCH)
            time.sleep(0.01)
            call = system_call()
        if not call:
            signal.pthread_kill(main, signal.SIGWINCH)


def system_call():
    """Of the main thread: number and arguments. Empty: it cannot be seen."""
    try:
        with open("/proc/%d/syscall" % os.getpid()) as file:
            return file.read().split()
    except OSError:
        return []


# Of x86-64 and aarch64, as in kernel/polling.py, which this file cannot import.
POLL = "7", "271", "73"
EPOLL = "232", "281", "22"


def end():
    for step in (theirs.get("atexit", bool), threading._shutdown, atexit._run_exitfuncs):
        try:
            step()
        except Exception:
            sys.excepthook(*sys.exc_info())


uwsgi.atexit = end
uwsgi.post_fork_hook = begin
uwsgi.__class__ = Module
'''
