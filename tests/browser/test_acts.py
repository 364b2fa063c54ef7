"""What people do on the pages, by mouse and by keyboard, and what then stands in the database."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.site import Site

Open = Callable[..., Visit]


def test_a_reader_logs_in_and_out_and_a_wrong_password_is_told(visit: Open) -> None:
    seen = visit()
    seen.open("/login/")
    seen.page.get_by_label("Username").fill("reader")
    seen.page.get_by_label("Password").fill("wrong")
    seen.page.get_by_role("button", name="Log in").click()
    expect(seen.page.get_by_text("Please enter a correct username and password")).to_be_visible()

    seen.log_in("reader")
    seen.page.get_by_role("button", name="reader: log out").click()

    expect(seen.page.get_by_role("link", name="Log in")).to_be_visible()


def test_the_theme_is_switched_by_a_key_and_stays(visit: Open) -> None:
    seen = visit("light")
    seen.open("/")
    seen.page.keyboard.press("t")
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")

    seen.open("/jobs/")

    assert seen.page.locator("html").get_attribute("data-theme") == "dark"
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


def test_pages_are_reached_by_keys_alone(visit: Open) -> None:
    seen = visit()
    seen.open("/")
    for key, heading in (("d", "Data"), ("j", "Jobs"), ("o", "Overview")):
        seen.page.keyboard.press("g")
        seen.page.keyboard.press(key)
        expect(seen.page.get_by_role("heading", level=1)).to_have_text(heading)

    seen.page.keyboard.press("?")
    expect(seen.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)


def test_an_open_page_shows_what_changed_without_being_loaded_again(visit: Open, site: Site) -> None:
    seen = visit()
    seen.open("/jobs/")
    seen.page.evaluate("window.sameDocument = true")

    site.rows(
        "INSERT INTO parked_tasks (task_id, name, args, kwargs, error, traceback, parked_at, retried_as, retried_by)"
        " VALUES ('seen-live', 'signals.track_signals', '[]', '{}', 'ValueError: told by a test', '', now(), '', '')"
    )

    expect(seen.page.get_by_text("ValueError: told by a test")).to_be_visible(timeout=15_000)
    assert seen.page.evaluate("window.sameDocument")


def test_live_updates_can_be_paused(visit: Open) -> None:
    seen = visit()
    seen.open("/jobs/")
    asked: list[str] = []
    seen.page.on("request", lambda request: asked.append(request.url) if "/jobs/" in request.url else None)

    seen.page.keyboard.press("p")
    expect(seen.page.locator("#paused")).to_have_text("paused")
    seen.page.wait_for_timeout(6_000)
    assert asked == []

    seen.page.keyboard.press("p")
    with seen.page.expect_request(re.compile("/jobs/"), timeout=8_000):
        pass


def test_a_chart_survives_a_renewal(visit: Open) -> None:
    seen = visit()
    seen.open("/")
    seen.page.wait_for_selector("figure[data-chart] canvas")
    seen.page.evaluate("document.querySelector('figure[data-chart] canvas').dataset.mark = 'same'")

    with seen.page.expect_response(lambda answer: answer.url.endswith("/"), timeout=8_000):
        pass
    seen.page.wait_for_timeout(500)

    assert seen.page.locator("canvas[data-mark=same]").count() == 1


def test_a_parked_task_is_sent_again_after_a_question_by_an_operator_only(visit: Open, site: Site) -> None:
    number = site.value(
        "INSERT INTO parked_tasks (task_id, name, args, kwargs, error, traceback, parked_at, retried_as, retried_by)"
        " VALUES ('asked', 'signals.track_signals', '[]', '{}', 'ValueError: once', '', now(), '', '') RETURNING id"
    )
    reader, operator = visit().log_in("reader"), visit().log_in()
    reader.open("/jobs/")
    expect(reader.page.get_by_role("link", name="send again")).to_have_count(0)
    answer = reader.page.request.get(f"{site.url}/jobs/parked/{number}/retry/")
    assert answer.status == 403

    operator.open(f"/jobs/parked/{number}/retry/")
    assert operator.violations() == []
    operator.page.get_by_role("button", name="Send it again").click()

    expect(operator.page.get_by_text("The task was sent again.")).to_be_visible()
    assert site.value("SELECT retried_by FROM parked_tasks WHERE id = %s", number) == "operator"


def test_a_night_that_is_asked_for_twice_is_one_run(visit: Open, site: Site) -> None:
    seen = visit().log_in()

    for _ in range(2):
        seen.open("/jobs/")
        job = seen.page.get_by_role("row", name=re.compile("^daily learning .* market"))
        job.get_by_role("link", name="run now").click()
        seen.page.get_by_role("button", name="Run it").click()
        expect(seen.page.get_by_text("The period 2021-07-02 is queued.")).to_be_visible()

    assert site.value("SELECT count(*) FROM job_runs WHERE job = 'daily_learning' AND period = '2021-07-02'") == 1


def test_an_operator_undoes_a_version_after_reading_what_will_follow(visit: Open, site: Site) -> None:
    seen = visit().log_in()
    newest = "SELECT max(version) FROM learning_state WHERE state_type = 'head_weights'"
    before = site.value(newest)

    seen.open("/learning/")
    seen.page.get_by_role("link", name=re.compile("^Undo: back to version")).click()
    expect(seen.page.get_by_role("heading", name="What will follow")).to_be_visible()
    assert seen.violations() == []
    assert site.value(newest) == before
    seen.page.get_by_role("button", name=re.compile("^Yes")).click()

    expect(seen.page.get_by_role("status")).to_contain_text(f"Done: version {before + 1} of the head weights")
    assert site.value("SELECT detail ->> 'by' FROM learning_events WHERE kind = 'rollback'") == "operator"
    assert seen.complaints == []


def test_a_reader_sees_no_way_to_undo_and_is_refused_one(visit: Open, site: Site) -> None:
    seen = visit().log_in("reader")

    seen.open("/learning/")

    expect(seen.page.get_by_role("link", name=re.compile("^Undo"))).to_have_count(0)
    assert seen.page.request.get(f"{site.url}/learning/freeze/").status == 403


def test_signals_are_narrowed_and_one_is_opened_by_keys(visit: Open) -> None:
    seen = visit()
    seen.open("/signals/")
    seen.page.get_by_label("side").select_option("short")
    seen.page.get_by_role("button", name="Show").click()
    expect(seen.page).to_have_url(re.compile("direction=short"))
    expect(seen.page.locator("#live tbody").get_by_text("long", exact=True)).to_have_count(0)

    seen.page.keyboard.press("j")
    seen.page.keyboard.press("Enter")

    expect(seen.page.get_by_role("heading", name="The nine votes")).to_be_visible()
    expect(seen.page.locator("figure[data-chart] canvas").first).to_be_visible()


def test_somebody_asks_why_there_was_no_trade(visit: Open) -> None:
    seen = visit()
    seen.open("/rejections/")
    seen.page.get_by_label("symbol").select_option("ETHUSDT")
    seen.page.get_by_label("market time").fill("2021-07-01T12:07")
    seen.page.get_by_role("button", name="Why?").click()

    expect(seen.page.get_by_text("ETHUSDT, 15m close of 2021-07-01 12:00")).to_be_visible()
    expect(seen.page.get_by_text(re.compile("^(No trade|A (long|short) signal)")).first).to_be_visible()
    expect(seen.page.get_by_role("heading", name="The gates")).to_be_visible()
