"""The admin in Chromium under the policy of our own pages: nothing it shows is refused, nothing leaves the host."""

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.site import Site
from tests.browser.test_every_page import keep_picture

Open = Callable[..., Visit]
LISTS = sorted(f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry)
ROW = "#result_list tbody th a"


def sound(seen: Visit) -> None:
    seen.page.wait_for_load_state("networkidle")
    assert (seen.page.url, seen.complaints) == (seen.page.url, [])
    assert seen.strangers == []


@pytest.mark.parametrize("look", ["dark", "light"])
def test_the_entrance_and_the_front_page_are_sound(visit: Open, look: str) -> None:
    seen = visit(look)
    seen.open("/admin/login/?next=/admin/")
    sound(seen)
    seen.log_in()
    seen.open("/admin/")
    sound(seen)
    assert seen.violations() == []
    expect(seen.page.get_by_role("link", name="Dashboard").first).to_be_visible()
    keep_picture(seen, f"admin-{look}")


def test_every_list_and_the_page_of_its_first_row_are_sound(visit: Open) -> None:
    seen = visit("dark")
    seen.log_in()
    for address in LISTS:
        seen.open(f"{address}?last=all" if "signals/" in address else address)
        sound(seen)
        first = seen.page.locator(ROW).first
        if first.count():
            first.click()
            sound(seen)
    assert len(LISTS) > 20


@pytest.mark.parametrize("path", ["/admin/signals/", "/admin/auth/group/add/", "/admin/password_change/"])
def test_pages_of_djangos_own_are_sound(visit: Open, path: str) -> None:
    seen = visit("light")
    seen.log_in()
    seen.open(path)
    sound(seen)


def test_a_signal_page_shows_its_chart_and_leads_to_its_scan(visit: Open, site: Site) -> None:
    seen = visit("light")
    seen.log_in()
    seen.open(f"/admin/signals/signal/{site.value('SELECT max(id) FROM signals')}/change/")
    expect(seen.page.get_by_role("img", name="Price with entry, stop, target and exit")).to_be_visible()
    sound(seen)
    keep_picture(seen, "admin-signal")

    seen.page.get_by_role("link", name=re.compile("^scan ")).click()
    expect(seen.page.locator("h2").first).to_be_visible()
    sound(seen)


def test_a_shadow_is_voided_with_a_reason_after_a_question(visit: Open, site: Site) -> None:
    held, scan_id = site.rows("SELECT id, scan_id FROM rejected_signals WHERE outcome = '' ORDER BY id DESC LIMIT 1")[0]
    seen = visit("dark")
    seen.log_in()
    seen.open(f"/admin/signals/rejectedsignal/?last=all&outcome=open&q={scan_id}")
    seen.page.locator(".action-select").first.check()
    seen.page.locator("select[name=action]").select_option("void")
    seen.page.get_by_role("button", name="Run").or_(seen.page.get_by_role("button", name="Go")).click()
    expect(seen.page.get_by_text("without a result, from now on in market time?")).to_be_visible()
    sound(seen)
    keep_picture(seen, "admin-are-you-sure")

    seen.page.get_by_label("Why").fill("told by a test")
    seen.page.get_by_role("button", name="Yes, do it").click()

    expect(seen.page.locator(".messagelist .success")).to_contain_text("told by a test")
    assert site.value("SELECT outcome FROM rejected_signals WHERE id = %s", held) == "void"
    assert site.value("SELECT by FROM voided_decisions WHERE scan_id = %s", scan_id) == "operator"
