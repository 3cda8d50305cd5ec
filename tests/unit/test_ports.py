"""Ports that are chosen before their server is started."""

import socket
import subprocess
import sys

import pytest

from agents import ports

HOST = "127.0.0.1"


def test_a_port_is_free_for_its_server_and_for_a_telephone():
    [port] = ports.free_ports(1)
    with socket.create_server((HOST, port)), socket.socket(type=socket.SOCK_DGRAM) as telephone:
        telephone.bind((HOST, port))


@pytest.mark.skipif(sys.platform != "linux", reason="a server can bind beside it on Linux only")
def test_no_two_that_choose_at_once_are_given_the_same_port(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "PORTS", range(19_000, 19_008))
    ours = ports.free_ports(4)
    chooses = "from agents import ports; ports.PORTS = range(19_000, 19_008); print(*ports.free_ports(4))"
    theirs = subprocess.run([sys.executable, "-c", chooses], capture_output=True, check=True).stdout.split()
    assert sorted([*ours, *map(int, theirs)]) == [*range(19_000, 19_008)]


def test_a_port_on_which_somebody_listens_is_not_chosen(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "PORTS", range(taken, taken + 1))
        with pytest.raises(OSError, match="no 1 free ports"):
            ports.free_ports(1)


def test_a_row_of_ports_is_free_throughout_and_can_be_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "PORTS", range(19_010, 19_018))
    with socket.socket(type=socket.SOCK_DGRAM) as telephone:
        telephone.bind((HOST, 19_012))
        block = ports.free_block(4)
        assert set(block) <= {19_013, 19_014, 19_015, 19_016, 19_017}
        with pytest.raises(OSError, match="no 4 free ports in a row"):
            ports.free_block(4)
        ports.let_go(block)
        assert len(ports.free_block(4)) == 4
