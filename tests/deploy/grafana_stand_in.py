"""A stand-in for Grafana: no package registry carries the real one.

It keeps to what a real Grafana 9.3 answered to the calls made here: which of them are refused and with which status,
and that a dashboard's content is stored as it comes. The same tests run against a real Grafana when GRAFANA_URL and
GRAFANA_TOKEN_FILE name one.
"""

import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-of-the-stand-in"
Json = dict[str, Any]
Answer = tuple[int, Any]


class StandIn:
    """What the stand-in holds. `writes` counts the requests that changed something."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "9.3.2"
        self.folders: dict[str, Json] = {}
        self.data_sources: dict[str, Json] = {}
        self.dashboards: dict[str, Json] = {}
        self.annotations: list[Json] = []
        self.writes = 0
        self.login_page = False
        self.forbidden = False

    def answer(self, method: str, path: str, query: dict[str, list[str]], sent: Any, authorised: bool) -> Answer:
        """(status, what is answered)"""
        if path == "/api/health":
            return 200, {"commit": "ef5a586d7d", "database": "ok", "version": self.version}
        if not authorised:
            return 401, {"message": "Invalid API key"}
        if self.forbidden:
            return 403, {"message": "Access denied"}
        for pattern, handle in self._handlers(method):
            if match := re.fullmatch(pattern, path):
                status, content = handle(*map(urllib.parse.unquote, match.groups()), query=query, sent=sent)
                if method != "GET" and status < 300:
                    self.writes += 1
                return status, content
        return 404, {"message": "Not found"}

    def _handlers(self, method: str) -> list[tuple[str, Any]]:
        return {
            "GET": [
                ("/api/org", lambda **_: (200, {"id": 1, "name": "Main Org."})),
                ("/api/folders/([^/]+)", lambda uid, **_: _found(self.folders.get(uid))),
                ("/api/datasources/uid/([^/]+)", lambda uid, **_: _found(self.data_sources.get(uid))),
                ("/api/dashboards/uid/([^/]+)", lambda uid, **_: _found(self.dashboards.get(uid))),
                ("/api/search", self._search),
                ("/api/annotations", self._find_annotations),
            ],
            "POST": [
                ("/api/folders", self._create_folder),
                ("/api/datasources", self._create_data_source),
                ("/api/dashboards/db", self._put_dashboard),
                ("/api/annotations", self._add_annotation),
            ],
            "PUT": [
                ("/api/folders/([^/]+)", self._update_folder),
                ("/api/datasources/uid/([^/]+)", self._update_data_source),
            ],
            "PATCH": [("/api/annotations/([0-9]+)", self._patch_annotation)],
            "DELETE": [("/api/dashboards/uid/([^/]+)", self._delete_dashboard)],
        }[method]

    def _create_folder(self, *, sent: Json, **_: Any) -> Answer:
        if sent["uid"] in self.folders:
            return 412, {"message": "the folder has been changed by someone else"}
        self.folders[sent["uid"]] = {**sent, "id": len(self.folders) + 1, "version": 1}
        return 200, self.folders[sent["uid"]]

    def _update_folder(self, uid: str, *, sent: Json, **_: Any) -> Answer:
        if uid not in self.folders:
            return 404, {"message": "folder not found"}
        self.folders[uid] |= {"title": sent["title"], "version": self.folders[uid]["version"] + 1}
        return 200, self.folders[uid]

    def _create_data_source(self, *, sent: Json, **_: Any) -> Answer:
        if any(sent["name"] == there["name"] for there in self.data_sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        self.data_sources[sent["uid"]] = {"id": len(self.data_sources) + 1, "readOnly": False, **sent}
        return 200, {"datasource": self.data_sources[sent["uid"]]}

    def _update_data_source(self, uid: str, *, sent: Json, **_: Any) -> Answer:
        if self.data_sources[uid].get("readOnly"):
            return 403, {"message": "Cannot update read-only data source"}
        self.data_sources[uid] |= sent
        return 200, {"datasource": self.data_sources[uid]}

    def _put_dashboard(self, *, sent: Json, **_: Any) -> Answer:
        content = sent["dashboard"]
        if not content.get("title"):
            return 400, {"message": "Dashboard title cannot be empty"}
        if sent["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if content["title"].lower() in {folder["title"].lower() for folder in self.folders.values()}:
            return 400, {"message": "Dashboard name cannot be the same as folder", "status": "name-match"}
        known = self.dashboards.get(content["uid"])
        if known and not sent.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        version = known["dashboard"]["version"] + 1 if known else 1
        stored = {**content, "id": len(self.dashboards) + 1, "version": version}
        self.dashboards[content["uid"]] = {"dashboard": stored, "meta": {"folderUid": sent["folderUid"]}}
        return 200, {"uid": content["uid"], "status": "success", "version": version}

    def _delete_dashboard(self, uid: str, **_: Any) -> Answer:
        return _found(self.dashboards.pop(uid, None))

    def _search(self, *, query: dict[str, list[str]], **_: Any) -> Answer:
        found = [
            {"uid": uid, "title": there["dashboard"]["title"], "folderUid": there["meta"]["folderUid"]}
            for uid, there in self.dashboards.items()
            if set(query.get("tag", ())) <= set(there["dashboard"].get("tags", ()))
        ]
        return 200, found

    def _find_annotations(self, *, query: dict[str, list[str]], **_: Any) -> Answer:
        return 200, [each for each in self.annotations if set(query.get("tags", ())) <= set(each["tags"])]

    def _add_annotation(self, *, sent: Json, **_: Any) -> Answer:
        made = {"id": len(self.annotations) + 1, **sent, "timeEnd": sent.get("timeEnd") or sent["time"]}
        self.annotations.append(made)
        return 200, {"id": made["id"], "message": "Annotation added"}

    def _patch_annotation(self, number: str, *, sent: Json, **_: Any) -> Answer:
        self.annotations[int(number) - 1] |= sent
        return 200, {"message": "Annotation patched"}


def _found(content: Any) -> Answer:
    return (404, {"message": "not found"}) if content is None else (200, content)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A stand-in on a free port of the loopback."""
    holds = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            url = urllib.parse.urlsplit(self.path)
            if holds.login_page:
                self._send(200, "text/html", b"<html>Log in</html>")
                return
            authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            query = urllib.parse.parse_qs(url.query)
            status, content = holds.answer(self.command, url.path, query, sent, authorised)
            self._send(status, "application/json", json.dumps(content).encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    holds.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield holds
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
