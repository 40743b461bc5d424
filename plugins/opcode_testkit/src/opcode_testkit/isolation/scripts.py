"""What the attacks run: each a Python program that needs nothing but the standard library."""

OPEN = """
import sys
open(sys.argv[1], 'rb').read(1)
print('opened')
"""

CONNECT = """
import socket, sys
socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3)
print('connected')
"""

UNIX = """
import socket, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            with socket.socket(family, kind) as one:
                one.settimeout(2)
                one.connect(('1.1.1.1' if family == socket.AF_INET else '2606:4700::1', 53))
                one.send(b'x')
                print('connected')
        except OSError:
            pass
for line in open('/proc/net/unix'):
    name = line.split()[-1]
    if name.startswith('@'):
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(chr(0) + name[1:])
                print('connected')
        except OSError:
            pass
"""

ALLOCATE = """
import sys
data = bytearray(int(sys.argv[1]))
for place in range(0, len(data), 4096):
    data[place] = 1
print('allocated')
"""

COUNT_CHILDREN = """
import os, signal, sys, time
children = []
try:
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, signal.SIGKILL)
print(len(children))
"""

SPIN = """
import sys, time
while time.process_time() < float(sys.argv[1]):
    pass
"""

TRACE = """
import ctypes, sys
ctypes.CDLL(None, use_errno=True)
ptrace = ctypes.CDLL(None).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
if ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0:  # PTRACE_SEIZE, which stops nobody
    ptrace(17, int(sys.argv[1]), 0, 0)
    print('traced')
"""

DAEMON = """
import os, signal, sys, time
began, stay = sys.argv[1], float(sys.argv[2])
if not os.fork():
    os.setsid()
    if not os.fork():
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        nothing = os.open('/dev/null', os.O_RDWR)
        for target in range(3):
            os.dup2(nothing, target)
        open(began, 'w').close()
        time.sleep(300)
    os._exit(0)
while not os.path.exists(began):
    time.sleep(0.01)
time.sleep(stay)
"""

HOPPER = """
import os, signal, sys, time
end = time.monotonic() + float(sys.argv[1])
if not os.fork():
    os.setsid()
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        time.sleep(0.002)
    os._exit(0)
time.sleep(300)
"""
