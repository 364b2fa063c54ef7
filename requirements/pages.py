"""Fetches the scripts of the dashboard's pages, as package-lock.json pins them. Standard library only, no node.

A package is a tarball of the npm registry; of each we keep the one built file that a page loads.
"""

import base64
import hashlib
import io
import json
import os
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOCK = HERE / "package-lock.json"
# As npm reads it: its own variable, in either spelling, names another registry.
VARIABLES = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
REGISTRY = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), "https://registry.npmjs.org")
SECONDS, ATTEMPTS = 20, 3


class FetchError(Exception):
    """What could not be fetched and what to do, in one line."""


@dataclass(frozen=True)
class Script:
    """One built file: its package, where it lies in the tarball, and where a page expects it."""

    package: str
    member: str
    place: Path


SERVED = ROOT / "analytics" / "static" / "vendor"
SCRIPTS = {
    "base": (
        Script("htmx.org", "package/dist/htmx.min.js", SERVED / "htmx.min.js"),
        Script("idiomorph", "package/dist/idiomorph-ext.min.js", SERVED / "idiomorph-ext.min.js"),
        Script(
            "lightweight-charts",
            "package/dist/lightweight-charts.standalone.production.js",
            SERVED / "lightweight-charts.js",
        ),
    ),
    "dev": (Script("axe-core", "package/axe.min.js", ROOT / "tests" / "browser" / "vendor" / "axe.min.js"),),
}


def fetch(kind: str) -> None:
    """Put the scripts of `kind` (dev: also those of base) into their places, whatever lies there."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    for script in wanted(kind):
        entry = locked[f"node_modules/{script.package}"]
        tarball = download(script.package, entry["version"])
        check(tarball, entry["integrity"], script.package)
        keep(tarball, script)


def wanted(kind: str) -> tuple[Script, ...]:
    return SCRIPTS["base"] if kind == "base" else (*SCRIPTS["base"], *SCRIPTS["dev"])


def are_there(kind: str) -> bool:
    return all(script.place.exists() for script in wanted(kind))


def download(package: str, version: str) -> bytes:
    url = f"{REGISTRY.rstrip('/')}/{package}/-/{package}-{version}.tgz"
    problem: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError) as error:
            problem = error
    raise FetchError(f"{package} {version} cannot be fetched from the npm registry ({problem}); check network or proxy")


def check(tarball: bytes, integrity: str, package: str) -> None:
    """Refuse a tarball whose sha512 is not the locked one."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != integrity:
        raise FetchError(f"{package} is not the one that requirements/package-lock.json pins; nothing was kept of it")


def keep(tarball: bytes, script: Script) -> None:
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        member = archive.extractfile(script.member)
        if member is None:
            raise FetchError(f"{script.package} has no file {script.member}")
        text = member.read()
    script.place.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and moved: whoever is interrupted leaves no half of a script.
    aside = script.place.with_suffix(".part")
    aside.write_bytes(text)
    aside.replace(script.place)
