#!/usr/bin/env python3
"""Runs a command in a terminal of its own, and presses Ctrl-C when the command requests it: for each connection to the
address in MINIMIO_TEST_CONSOLE. Fails if the command fails, requests nothing, or runs for two minutes.

    ctrl-c.py COMMAND [ARGUMENT …]
"""
import os
import pty
import select
import signal
import socket
import sys
import time
import tty

listener = socket.create_server(("127.0.0.1", 0))
process, terminal = pty.fork()
if process == 0:
    # In raw mode, the key reaches Wine's console as a character. Otherwise Linux would send SIGINT.
    tty.setraw(0)
    os.environ["TERM"] = "xterm"
    os.environ["MINIMIO_TEST_CONSOLE"] = "127.0.0.1:%d" % listener.getsockname()[1]
    os.execvp(sys.argv[1], sys.argv[1:])

output, pressed, end = b"", 0, time.monotonic() + 120
while time.monotonic() < end:
    readable = select.select([terminal, listener], [], [], 1)[0]
    if listener in readable:
        listener.accept()[0].close()
        os.write(terminal, b"\x03")
        pressed += 1
    if terminal in readable:
        try:
            output += os.read(terminal, 4096)
        except OSError:
            # The command has ended.
            break
else:
    os.kill(process, signal.SIGTERM)
status = os.waitpid(process, 0)[1]
print(f"Ctrl-C was pressed {pressed} times")
if status or not pressed:
    sys.exit(f"status {status}: {output.decode(errors='replace')}")
