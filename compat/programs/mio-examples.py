#!/usr/bin/env python3
"""Runs mio's examples `tcp_server` and `udp_server`, and prints what they print and what their clients receive.

    mio-examples.py FOLDER

FOLDER has the two programs, which listen on 127.0.0.1:9000. This program waits for the effect of each message before it
sends the next one, so the order of its output is fixed. If an example takes longer than 30 seconds, this program fails.
"""
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

ADDRESS = ("127.0.0.1", 9000)


def tcp_server(next_line):
    clients = []
    for name in ["first", "second", "third"]:
        clients.append(socket.create_connection(ADDRESS))
        next_line()
        print(name, "client received:", clients[-1].recv(100))
    for message in [b"one\n", "zwölf\n".encode(), b"\xff\n", b"without a line end"]:
        for client in clients:
            client.sendall(message)
            next_line()
    first, second, third = clients
    # The server closes its end too, and the other connections stay open.
    first.shutdown(socket.SHUT_WR)
    next_line()
    print("first client received:", first.recv(100))
    third.close()
    next_line()
    second.sendall(b"still here\n")
    next_line()
    # The last message arrives together with the end.
    second.sendall(b"the last words\n")
    second.close()
    next_line()
    next_line()


def udp_server(_):
    clients = []
    for _ in range(2):
        clients.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        clients[-1].connect(ADDRESS)
    for message in [b"one", b"", "zwölf".encode(), b"x" * 9000]:
        for name, client in zip(["first", "second"], clients):
            client.send(message)
            received = client.recv(10000)
            print(name, "client received:", received if len(received) < 100 else f"{len(received)} bytes")
    # One event can stand for several datagrams.
    for number in range(20):
        clients[0].send(b"%d" % number)
    print("first client received:", [int(clients[0].recv(100)) for _ in range(20)])


def run(example):
    """Runs the program of this name, and exchanges messages with it."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"{example.__name__}: no answer within 30 seconds"))
    signal.alarm(30)
    server = subprocess.Popen(Path(sys.argv[1]) / example.__name__, stdout=subprocess.PIPE, text=True)

    def next_line():
        line = server.stdout.readline()
        if not line:
            sys.exit(f"{example.__name__} has ended with status {server.wait()}")
        # The kernel chooses the port of a client.
        print(f"{example.__name__}:", re.sub(r"(?<=127\.0\.0\.1:)\d+$", "PORT", line.rstrip()), flush=True)

    try:
        # The server prints these lines when it listens.
        for _ in range(3):
            next_line()
        example(next_line)
        print(example.__name__, "still runs" if server.poll() is None else "has ended")
    finally:
        signal.alarm(0)
        server.kill()
        server.wait()


def main():
    run(tcp_server)
    run(udp_server)


main()
