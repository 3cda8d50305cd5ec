"""Telephones made of sipp, on loopback: callers who ring in, and handlers who answer.

Every telephone is one process with a scenario written for it; times are milliseconds. A caller who vanishes is killed
and says nothing any more, as one who drives into a tunnel.
"""

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path

from agents.ports import free_block, let_go
from agents.switch import ENDS_WITH_US, Switch

ENDLESS = 60_000
_INVITED = "sip:[service]@[remote_ip]:[remote_port]"
_BRANCH = "z9hG4bK-[pid]-[call_number]"  # that of the INVITE, which a CANCEL and its ACK repeat
_OK = """<send{then}><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"""


class Phones:
    """Makes telephones for one switch; `hang_up` ends what is left of them."""

    def __init__(self, switch: Switch, folder: Path) -> None:
        self._switch = switch
        self._folder = folder
        self._running: dict[asyncio.subprocess.Process, range] = {}
        """Each with the ports it was given."""
        self._made = 0
        self._scenarios: dict[str, Path] = {}

    async def caller(
        self,
        exten: str,
        number: str = "07700900101",
        *,
        hang_up_after: int = ENDLESS,
        cancels: bool = False,
        diverted_from: str = "",
        address: str = "127.0.0.1",
        calls: int = 1,
        rate: int = 1,
        echoes: bool = False,
        says: Path | None = None,
    ) -> asyncio.subprocess.Process:
        """Rings `exten`; ends the call so long after the answer, or where they cancel, after the ringing began.

        Who `echoes` sends back what they hear, and who `says` something (a file of G.711 µ-law) says it again and
        again; who sends no audio at all is taken for vanished after half a minute.
        """
        scenario = _cancels(hang_up_after) if cancels else _rings(hang_up_after, diverted_from, says)
        options = ["-s", exten, "-m", str(calls), "-r", str(rate), "-key", "number", number, *_echo(echoes)]
        return await self._start(scenario, address, None, *options)

    async def listeners(self, exten: str, callers: Sequence[tuple[str, int]]) -> asyncio.subprocess.Process:
        """All ring `exten`, each from a number and with an ear at a port, and stay on the line."""
        listed = self._folder / f"listeners-{self._made}.csv"
        listed.write_text("SEQUENTIAL\n" + "".join(f"{number};{port}\n" for number, port in callers))
        scenario = _rings(ENDLESS).replace("[number]", "[field0]").replace("[media_port]", "[field1]")
        options = ["-s", exten, "-m", str(len(callers)), "-r", "40", "-inf", str(listed)]
        return await self._start(scenario, "127.0.0.1", None, *options)

    async def handler(
        self,
        name: str,
        *,
        answers_after: int = 0,
        talks: int = ENDLESS,
        holds: int = 0,
        refers_to: str = "",
        echoes: bool = False,
    ) -> asyncio.subprocess.Process:
        """Answers every call to `name`, hangs up or refers after talking; may hold the caller for a time first.

        Who `echoes` sends back what the caller says.
        """
        scenario = _answers(answers_after, talks, holds, refers_to)
        return await self._start(scenario, "127.0.0.1", self._switch.handlers[name], *_echo(echoes))

    async def hang_up(self) -> None:
        while self._running:
            phone, ports = self._running.popitem()
            if phone.returncode is None:
                phone.kill()
            await phone.wait()
            let_go(ports)

    async def _start(
        self, scenario: str, address: str, port: int | None, *options: str
    ) -> asyncio.subprocess.Process:
        for ended in [phone for phone in self._running if phone.returncode is not None]:
            let_go(self._running.pop(ended))
        self._made += 1
        errors = self._folder / f"telephone-{self._made}.err"
        ports = free_block(4)
        signalling, media, *_ = ports  # and the second after that of audio is for pictures
        phone = await asyncio.create_subprocess_exec(
            *(*ENDS_WITH_US, "sipp", f"127.0.0.1:{self._switch.sip}", "-sf", self._file(scenario)),
            *("-i", address, "-p", str(port or signalling)),
            *("-mi", address, "-mp", str(media), "-nostdin", "-trace_err", "-error_file", errors),
            *options,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running[phone] = ports
        return phone

    def _file(self, scenario: str) -> Path:
        """One for the same scenario, however many telephones follow it."""
        if scenario not in self._scenarios:
            self._scenarios[scenario] = self._folder / f"scenario-{len(self._scenarios)}.xml"
            self._scenarios[scenario].write_text(scenario)
        return self._scenarios[scenario]


def _echo(echoes: bool) -> list[str]:
    return ["-rtp_echo"] if echoes else []


def _rings(hang_up_after: int, diverted_from: str = "", says: Path | None = None) -> str:
    diversion = f"Diversion: <sip:{diverted_from}@[local_ip]>;reason=unconditional\n" if diverted_from else ""
    return _scenario(
        _asks("INVITE", 1, _INVITED, diversion, _sdp()),
        *(f'<recv response="{code}" optional="true"/>' for code in (100, 180, 183)),
        '<recv response="200" rrs="true"/>',
        _asks("ACK", 1, "[next_url]"),
        *([f'<nop><action><exec rtp_stream="{says},-1,0,PCMU/8000"/></action></nop>'] if says else []),
        f'<recv request="BYE" timeout="{hang_up_after}" ontimeout="1"/>',
        _OK.format(then=' next="2"'),
        '<label id="1"/>',
        _asks("BYE", 2, "[next_url]"),
        '<recv response="200"/>',
        '<label id="2"/>',
    )


def _cancels(after: int) -> str:
    return _scenario(
        _asks("INVITE", 1, _INVITED, "", _sdp()),
        '<recv response="100" optional="true"/>',
        '<recv response="183"/>',
        f'<pause milliseconds="{after}"/>',
        _asks("CANCEL", 1, _INVITED),
        '<recv response="200"/>',
        '<recv response="487"/>',
        _asks("ACK", 1, _INVITED),
    )


def _answers(after: int, talks: int, holds: int, refers_to: str) -> str:
    held = [
        step
        for number, direction in enumerate(("sendonly", "sendrecv") if holds else (), 1)
        for step in (
            f'<pause milliseconds="{holds}"/>',
            _asks_caller("INVITE", number, "", _sdp(direction, number + 1)),
            '<recv response="100" optional="true"/>',
            '<recv response="200"/>',
            _asks_caller("ACK", number),
        )
    ]
    end = [_asks_caller("BYE", 9), '<recv response="200"/>']
    if refers_to:
        referral = f"Refer-To: <sip:{refers_to}@[remote_ip]:[remote_port]>\nReferred-By: <sip:[local_ip]>\n"
        end = [
            _asks_caller("REFER", 8, referral),
            '<recv response="202"/>',
            '<label id="5"/>',
            '<recv request="NOTIFY" optional="true" next="6"/>',
            '<recv request="BYE"/>',
            _OK.format(then=' next="4"'),
            '<label id="6"/>',
            _OK.format(then=' next="5"'),
        ]
    return _scenario(
        """<recv request="INVITE" rrs="true"><action>
  <ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>
  <ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>
  <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="3"/>
</action></recv>""",
        _says("180 Ringing", "[last_CSeq:]"),
        f'<recv request="CANCEL" timeout="{max(1, after)}" ontimeout="3"/>',
        _OK.format(then=""),
        _says("487 Request Terminated", "CSeq: [$3]"),
        '<recv request="ACK" next="4"/>',
        '<label id="3"/>',
        _says("200 OK", "CSeq: [$3]", _sdp()),
        '<recv request="ACK"/>',
        *held,
        f'<recv request="BYE" timeout="{talks}" ontimeout="7"/>',
        _OK.format(then=' next="4"'),
        '<label id="7"/>',
        *end,
        '<label id="4"/>',
        '<Reference variables="1,2,3"/>',
    )


def _scenario(*steps: str) -> str:
    return "\n".join(['<?xml version="1.0"?>', '<scenario name="telephone">', *steps, "</scenario>", ""])


def _asks(method: str, number: int, target: str, headers: str = "", body: str = "") -> str:
    """A caller's request; the first ones belong to one transaction."""
    to = f"To: <{_INVITED}>" if method in ("INVITE", "CANCEL") else "[last_To:]"
    branch = _BRANCH if target == _INVITED else "[branch]"
    sender = "<sip:[number]@[local_ip]>;tag=[pid]-[call_number]"
    return _request(method, number, target, branch, f"From: {sender}", to, headers, body)


def _asks_caller(method: str, number: int, headers: str = "", body: str = "") -> str:
    """A handler's request within the call that they answered."""
    sender = "From: [$2];tag=[pid]-[call_number]"
    return _request(method, number, "[next_url]", "[branch]", sender, "To: [$1]", headers, body)


def _request(
    method: str, number: int, target: str, branch: str, sender: str, to: str, headers: str, body: str
) -> str:
    retransmitted = "" if method == "ACK" else ' retrans="500"'
    return f"""<send{retransmitted}><![CDATA[
{method} {target} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch={branch}
{sender}
{to}
Call-ID: [call_id]
CSeq: {number} {method}
Contact: <sip:[local_ip]:[local_port]>
Max-Forwards: 70
{headers}{_end(body)}
]]></send>"""


def _says(status: str, sequence: str, body: str = "") -> str:
    return f"""<send><![CDATA[
SIP/2.0 {status}
[last_Via:]
From: [$1]
To: [$2];tag=[pid]-[call_number]
[last_Call-ID:]
{sequence}
Contact: <sip:[local_ip]:[local_port]>
{_end(body)}
]]></send>"""


def _end(body: str) -> str:
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}" if body else "Content-Length: 0\n"


def _sdp(direction: str = "sendrecv", version: int = 1) -> str:
    return f"""v=0
o=- 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
"""
