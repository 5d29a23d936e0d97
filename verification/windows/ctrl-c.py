#!/usr/bin/env python3
"""Runs a command in a terminal of its own, and presses Ctrl-C when the command has printed "ready". The command must
print "received Some(INTERRUPT)" within 30 seconds.

    ctrl-c.py COMMAND [ARGUMENT …]
"""
import os
import pty
import select
import signal
import sys
import time
import tty

process, terminal = pty.fork()
if process == 0:
    # In raw mode, the key reaches Wine's console as a character. Otherwise Linux would send SIGINT.
    tty.setraw(0)
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])

output, pressed, end = b"", False, time.monotonic() + 30
while time.monotonic() < end and b"received" not in output:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            output += os.read(terminal, 4096)
        except OSError:
            # The command has ended.
            break
    if b"ready" in output and not pressed:
        os.write(terminal, b"\x03")
        pressed = True
received = b"received Some(INTERRUPT)" in output
os.kill(process, signal.SIGTERM)
os.waitpid(process, 0)
print("Ctrl-C is received" if received else f"Ctrl-C is not received: {output!r}")
sys.exit(not received)
