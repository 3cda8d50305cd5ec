"""Ports for servers that are started a moment after their port was chosen.

A chosen port stays bound, without anybody listening, until it is let go or this process ends: so no other process
that chooses one here is given the same, and the server that it is meant for can bind it all the same.
"""

import errno
import random
import socket
import sys
from collections.abc import Iterable
from contextlib import closing
from itertools import islice, takewhile

HOST = "127.0.0.1"
# Below the ports the kernel lends to outgoing connections: a client that knocks on a dead server's port from that
# very port would connect to itself and keep the port taken.
PORTS = range(20_000, 30_000)

_held: dict[int, socket.socket] = {}


def free_ports(number: int) -> list[int]:
    """Ports of the loopback on which nobody listens, by TCP or UDP. Raises OSError when there are none left."""
    found = list(islice(filter(_hold, random.sample(PORTS, len(PORTS))), number))
    if len(found) < number:
        raise OSError(errno.EADDRINUSE, f"no {number} free ports between {PORTS[0]} and {PORTS[-1]}")
    return found


def free_block(length: int) -> range:
    """As many in a row. Raises OSError when there are none left."""
    for first in random.sample(PORTS[: 1 - length], len(PORTS) - length + 1):
        block = range(first, first + length)
        found = list(takewhile(_hold, block))
        if len(found) == length:
            return block
        let_go(found)
    raise OSError(errno.EADDRINUSE, f"no {length} free ports in a row between {PORTS[0]} and {PORTS[-1]}")


def let_go(ports: Iterable[int]) -> None:
    """Their servers have ended, and others may have them."""
    for port in ports:
        if held := _held.pop(port, None):
            held.close()


def _hold(port: int) -> bool:
    tcp = socket.socket()
    try:
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as udp:
            udp.bind((HOST, port))
            tcp.bind((HOST, port))
    except OSError:
        tcp.close()
        return False
    if sys.platform == "linux":
        # Bound alone above; from now on a server that asks for this too, as servers do, may bind beside it.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held[port] = tcp
    else:
        tcp.close()  # elsewhere no server could bind
    return True
