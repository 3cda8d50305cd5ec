"""Speaks to a Grafana through grafana-client, and says in a sentence what is wrong when it cannot.

What the library leaves to its callers is settled here: addresses without a trailing slash, connections that are
refused or break off, a login page that comes back as if it were an answer, tags that are not quoted, and the session
that has to be closed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaException
from niquests.exceptions import RequestException

from agents.secret_file import secret_in

OLDEST_VERSION = 9
TIMEOUT_SECONDS = 10
DASHBOARDS_MAX = 1_000

Json = dict[str, Any]


class GrafanaError(click.ClickException):
    """Grafana did not do what it was asked; the message says why and what to do."""


class Grafana:
    """One Grafana at `url`, for as long as the context lasts. Every method raises GrafanaError."""

    def __init__(self, url: str, api: GrafanaApi) -> None:
        self.url = url
        self._api = api

    # Folders, data sources, dashboards: None when there is none of that uid.

    def folder(self, uid: str) -> Json | None:
        """The folder of that uid."""
        return self._maybe("GET", f"/folders/{quote(uid)}")

    def put_folder(self, uid: str, title: str, *, exists: bool) -> None:
        """Create or rename a folder."""
        if exists:
            self._ask("PUT", f"/folders/{quote(uid)}", {"title": title, "overwrite": True})
        else:
            self._ask("POST", "/folders", {"uid": uid, "title": title})

    def data_source(self, uid: str) -> Json | None:
        """The data source of that uid."""
        return self._maybe("GET", f"/datasources/uid/{quote(uid)}")

    def put_data_source(self, content: Json, *, exists: bool) -> None:
        """Create or replace a data source."""
        if exists:
            self._ask("PUT", f"/datasources/uid/{quote(content['uid'])}", content)
        else:
            self._ask("POST", "/datasources", content)

    def dashboard(self, uid: str) -> Json | None:
        """{"dashboard": its JSON, "meta": where it lies}"""
        return self._maybe("GET", f"/dashboards/uid/{quote(uid)}")

    def put_dashboard(self, content: Json, folder: str, message: str) -> None:
        """Create or replace a dashboard in `folder`."""
        wanted = {"dashboard": content, "folderUid": folder, "message": message, "overwrite": True}
        self._ask("POST", "/dashboards/db", wanted)

    def delete_dashboard(self, uid: str) -> None:
        """Delete a dashboard."""
        self._ask("DELETE", f"/dashboards/uid/{quote(uid)}")

    def dashboards_tagged(self, tag: str) -> list[Json]:
        """{"uid", "title", "folderUid"} of each dashboard with `tag`."""
        with self._plainly("look for dashboards"):
            found = self._api.search.search_dashboards(tag=tag, type_="dash-db", limit=DASHBOARDS_MAX)
        return [dict(each) for each in self._checked(found, list)]

    # Marks in the graphs

    def marks(self, tags: Sequence[str]) -> list[Json]:
        """The marks that have all of `tags`."""
        with self._plainly("look for marks"):
            # 0 would be left out, and then only the last day is searched.
            found = self._api.annotations.find_annotations(
                time_from=1, time_to=1 << 52, tags=[quote(tag, safe="") for tag in tags], limit=100
            )
        return [dict(each) for each in self._checked(found, list)]

    def add_mark(self, at_ms: int, until_ms: int | None, tags: Sequence[str], text: str) -> None:
        """Mark a moment, or the time until `until_ms`, on every dashboard."""
        with self._plainly("add a mark"):
            self._api.annotations.add_annotation(time_from=at_ms, time_to=until_ms, tags=list(tags), text=text)

    def change_mark(self, number: int, until_ms: int | None, text: str) -> None:
        """Change a mark's end and words. Its tags are not sent: Grafana 9 would hang, or lose them."""
        content = {"text": text} | ({} if until_ms is None else {"timeEnd": until_ms})
        self._ask("PATCH", f"/annotations/{number}", content)

    # Asking

    def check(self) -> None:
        """Raises GrafanaError unless this is a Grafana that is new enough and lets us in."""
        health = self._ask("GET", "/health")
        version = str(health.get("version") or "")
        if version and int(version.partition(".")[0]) < OLDEST_VERSION:
            raise GrafanaError(f"{self.url} is Grafana {version}; {OLDEST_VERSION}.0 or newer is needed.")
        self._ask("GET", "/org")

    def _maybe(self, method: str, path: str) -> Json | None:
        try:
            return self._ask(method, path)
        except _MissingError:
            return None

    def _ask(self, method: str, path: str, content: Json | None = None) -> Json:
        with self._plainly(f"{method} {path}"):
            answer = getattr(self._api.client, method)(path, json=content)
        return dict(self._checked({} if answer is None else answer, dict))

    def _checked(self, answer: Any, kind: type) -> Any:
        if not isinstance(answer, kind):
            raise GrafanaError(
                f"{self.url} answered, but not as Grafana does: is this its address, or a login page before it?"
            )
        return answer

    @contextmanager
    def _plainly(self, doing: str) -> Iterator[None]:
        try:
            yield
        except GrafanaException as error:
            raise self._refused(error, doing) from None
        except (RequestException, ValueError) as error:
            raise GrafanaError(
                f"Grafana cannot be reached at {self.url} ({type(error).__name__}): is it running, and is this its "
                "address? Set OCC_GRAFANA__URL."
            ) from None

    def _refused(self, error: GrafanaException, doing: str) -> GrafanaError:
        status = int(error.status_code or 0)
        if status == 0:
            return GrafanaError(f"Grafana at {self.url} did not answer within {TIMEOUT_SECONDS} s.")
        if status == 401:
            return GrafanaError(
                f"Grafana at {self.url} does not accept the credentials: set OCC_GRAFANA__TOKEN_FILE, or "
                "OCC_GRAFANA__USER and OCC_GRAFANA__PASSWORD_FILE."
            )
        if status == 403:
            return GrafanaError(f"Grafana at {self.url} does not allow {doing}: the account needs the role Admin.")
        if status == 404:
            return _MissingError(f"Grafana at {self.url} knows nothing at {doing}.")
        said = error.response.get("message") if isinstance(error.response, dict) else None
        return GrafanaError(f"Grafana at {self.url} refused {doing} with {status}: {said or 'no reason given'}.")


class _MissingError(GrafanaError):
    """There is no such thing."""


@contextmanager
def connected(
    url: str, *, token_file: Path | None, user: str | None, password_file: Path | None
) -> Iterator[Grafana]:
    """A Grafana that was found, is new enough and lets us in. Raises ClickException."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise GrafanaError("OCC_GRAFANA__URL must be an address such as http://127.0.0.1:3000.")
    api = GrafanaApi(
        _credential(token_file, user, password_file),
        protocol=address.scheme,
        host=address.hostname,
        port=address.port,
        url_path_prefix=f"{path}/" if (path := address.path.strip("/")) else "",
        timeout=TIMEOUT_SECONDS,
    )
    try:
        grafana = Grafana(f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}", api)
        grafana.check()
        yield grafana
    finally:
        api.client.s.close()


def _credential(token_file: Path | None, user: str | None, password_file: Path | None) -> str | tuple[str, str]:
    if token_file is not None:
        return secret_in(token_file)
    if user and password_file is not None:
        return (user, secret_in(password_file))
    raise GrafanaError(
        "Grafana wants to know who asks: put a service account's token into a file and name it in "
        "OCC_GRAFANA__TOKEN_FILE, or set OCC_GRAFANA__USER and OCC_GRAFANA__PASSWORD_FILE."
    )
