"""Debian's Chromium on a site of its own. `ALPHAPULSE_PAGES=http://...` looks at a running system instead."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.site import OPERATOR, PASSWORD, Site, running_site

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))
SERIOUS = ("serious", "critical")


@dataclass(frozen=True)
class Look:
    """How somebody looks at a page."""

    theme: str
    width: int
    height: int = 900


LOOKS = {"dark": Look("dark", 1280), "light": Look("light", 1280), "phone": Look("dark", 390, 844)}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has the site and the browser for all of these tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(300))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip("no Chromium here: apt-get install chromium, or name one in CHROMIUM"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if running := os.environ.get("ALPHAPULSE_PAGES"):
        yield Site(running, dict(os.environ), os.environ.get("ALPHAPULSE_PAGES_DATABASE", ""))
        return
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each module: while the driver is there, its event loop runs, and other tests want their own."""
    with sync_playwright() as driver:
        # As root, in a container, Chromium has no sandbox to offer.
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """A page, and all that it did which it should not."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def listen(self) -> "Visit":
        home = urlsplit(self.site.url).netloc
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._meet(asked.url, home))
        return self

    def _meet(self, url: str, home: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).netloc != home:
            self.strangers.append(url)

    def open(self, path: str) -> "Visit":
        answer = self.page.goto(f"{self.site.url}{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, f"{path} answered {answer.status}"
        return self

    def log_in(self, name: str = OPERATOR) -> "Visit":
        self.open("/login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.site.url}/")
        return self

    def violations(self) -> list[str]:
        """What axe-core calls serious or worse, with the first places."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate("axe.run()")["violations"]
        return [
            f"{each['id']}: {each['help']} at {[node['target'] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in SERIOUS
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[[str], Visit]]:
    """Open a browser window with a look; each is a visitor of its own, without cookies."""
    contexts: list[BrowserContext] = []

    def start(look: str = "dark") -> Visit:
        chosen = LOOKS[look]
        size = {"width": chosen.width, "height": chosen.height}
        context = browser.new_context(viewport=size, color_scheme=chosen.theme)  # type: ignore[arg-type]
        contexts.append(context)
        return Visit(context.new_page(), site).listen()

    yield start
    for context in contexts:
        context.close()
