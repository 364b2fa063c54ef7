"""Every page in dark, in light and on a phone: no error, no other host, nobody shut out."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.dashboard.urls import urlpatterns
from tests.browser.conftest import LOOKS, Visit
from tests.browser.site import Site

# Pages whose address needs something of the database: name -> query that gives the address.
FROM_ROWS: dict[str, str] = {
    "signal": "SELECT '/signals/' || max(id) || '/' FROM signals",
    "report": "SELECT '/reports/daily/' || (max(close_time) - interval '1 day')::date || '/' FROM scan_closes",
    "version": (
        "SELECT '/learning/versions/head_weights/' || max(version) || '/' FROM learning_state"
        " WHERE state_type = 'head_weights'"
    ),
    "shadow": "SELECT '/shadows/' || max(id) || '/' FROM rejected_signals",
}
# Addresses that are no pages to look at, or that another test goes through.
NOT_LOOKED_AT = {"logout", "retry", "run", "rollback", "pin", "freeze", "release"}
ELSEWHERE = ("/api/docs/",)


def dashboard_names() -> dict[str, str]:
    """Name -> route of every address of the dashboard, from the URL conf itself."""
    return {str(each.name): str(each.pattern) for each in urlpatterns}


def addresses() -> dict[str, str]:
    """Name -> address, or the query that gives it."""
    found = {name: FROM_ROWS.get(name, f"/{route}") for name, route in dashboard_names().items()}
    return {name: address for name, address in found.items() if name not in NOT_LOOKED_AT}


def test_every_address_of_the_dashboard_is_looked_at() -> None:
    assert [name for name, address in addresses().items() if "<" in address] == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", addresses())
def test_a_page_is_sound(visit: Callable[[str], Visit], site: Site, name: str, look: str) -> None:
    address = addresses()[name]
    path = site.value(address) if address.startswith("SELECT") else address
    seen = visit(look)
    seen.open(path)
    seen.page.wait_for_load_state("networkidle")

    assert seen.complaints == []
    assert seen.strangers == []
    assert seen.violations() == []
    assert seen.overflow() <= 0
    keep_picture(seen, f"{name}-{look}")


@pytest.mark.parametrize("path", ELSEWHERE)
def test_pages_beside_the_dashboard_are_sound(visit: Callable[[str], Visit], path: str) -> None:
    seen = visit("light")
    seen.open(path)
    seen.page.wait_for_load_state("networkidle")

    assert seen.complaints == []
    assert seen.strangers == []


def keep_picture(seen: Visit, name: str) -> None:
    """`PICTURES=DIR` keeps what was seen: the pictures of the README are made so."""
    if folder := os.environ.get("PICTURES"):
        seen.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
