"""The pages of learning: what is in force and why, whether it was good, every version, and what they cost."""

from collections.abc import Iterator
from datetime import timedelta
from json import loads
from re import search
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from analytics.dashboard.plots import axis_around_zero, bars, calibration_plot, whiskers
from analytics.selectors.kept import SHELF
from analytics.selectors.learned import learning_page
from analytics.selectors.reports import performance
from analytics.templatetags.shown import MINUS, number, percent, signed
from learning.models import LearningEvent, LearningState
from learning.story import story
from learning.versions import create_version
from learning.why import account_of
from tests.analytics import rows
from tests.analytics.dashboard.pages import said

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PAGES = ("/learning/", "/learning/versions/", "/learning/versions/head_weights/1/")
EFFECT = {"value": 0.0042, "ci_low": 0.001, "ci_high": 0.0073, "nights": 2, "scans": 900, "words": "It saved a little."}
HEADS = len(rows.HEAD_NAMES)


@pytest.fixture(autouse=True)
def market(db: None) -> Iterator[None]:
    rows.market_clock()
    rows.symbol()
    rows.scan_close(rows.NOW - 20 * DAY)
    rows.scan_close(rows.NOW)
    SHELF.forget()
    yield
    SHELF.forget()


def certificate(excess: float = 0.5, bound: float = 2.0) -> dict[str, Any]:
    """With the least room against `3 days`."""
    names = ("equal", "zero", "3 days")
    return {
        "holds": True,
        "nights": 2,
        "excess": dict.fromkeys(names, excess) | {"3 days": excess + 1},
        "bound": dict.fromkeys(names, bound),
        "moves": [{"head": "technical", "before": 0.2, "after": 0.5, "change": 0.3, "outcomes_tonight": 77}],
    }


@pytest.fixture
def lived() -> list[LearningState]:
    """Born, then two nights: the first draft waits, the second decides. Forty outcomes over ten days."""
    born = rows.version(created_by="birth", notes="Equal weights at birth.")
    waiting = rows.version("challenger", None, created_by="nightly", period="2021-07-07", certificate=certificate(0.2))
    betas = [0.6] + [0.2] * (HEADS - 1)
    ruling = rows.version(
        effective_from=rows.NOW - DAY,
        created_by="nightly",
        period="2021-07-08",
        weights=rows.weights(betas),
        certificate=certificate(),
        metrics_before={"path": "live", "log_loss": 0.61, "scans": 900},
        metrics_after={"path": "learner", "log_loss": 0.6, "scans": 900, "effect": EFFECT},
        notes="no guard objected",
    )
    verdicts = {"replay": {"passed": True, "reason": "no worse"}, "opening": {"passed": True, "reason": "E = 31"}}
    rows.job_run("daily_learning", "2021-07-08", status="done", report={"verdicts": verdicts})
    for place in range(40):
        votes = rows.evidence(technical=0.8, volume=-0.4 if place % 2 else 0.4)
        rows.event(1.9 if place % 3 else -1.1, votes, rows.NOW - DAY * (2 + place % 10), win_probability=0.45)
    SHELF.forget()
    return [born, waiting, ruling]


def chart(page: str, name: str) -> dict[str, Any]:
    """The data block of a chart."""
    found = search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
    assert found, name
    block: dict[str, Any] = loads(found.group(1))
    return block


def points(block: dict[str, Any], name: str) -> list[list[float]]:
    return next(each["points"] for each in block["series"] if each["name"] == name)


def test_the_page_says_what_is_in_force_since_when_and_whether_it_was_good(
    client: Client, lived: list[LearningState]
) -> None:
    words = said(client, "/learning/")

    assert "In force version 3" in words
    assert "since 2021-07-09 12:00" in words
    assert f"better {signed(0.0042, 5)} [{signed(0.001, 5)}, {signed(0.0073, 5)}] n 900" in words
    assert "It saved a little." in words
    for sentence in story(account_of(lived[2]))[:3]:
        assert " ".join(sentence.split()) in words
    assert "E = 1.00 of 20" in words  # nobody has bet yet


def test_heads_stand_best_first_with_the_figures_of_the_api(client: Client, lived: list[LearningState]) -> None:
    page = learning_page(30)
    words = said(client, "/learning/")

    assert page is not None
    report = performance(page.scope, "30d")["head_performance"]["heads"]
    known = [row for row in page.heads if row["skill"] is not None]
    assert {row["head"] for row in known} == {"technical", "volume"}
    assert [row["skill"] for row in known] == sorted((row["skill"] for row in known), reverse=True)
    assert {"head": "technical"} | report["technical"] in page.heads
    assert f"technical {signed(report['technical']['skill'], 4)}" in words
    assert percent(report["technical"]["current_weight"]) in words
    assert number(page.progress["calibration"]["slope"], 2) in words


def test_shares_in_force_are_steps_from_the_first_close_until_now(client: Client, lived: list[LearningState]) -> None:
    block = chart(client.get("/learning/").content.decode(), "in-force-data")

    steps = points(block, "technical")
    assert [at for at, _ in steps] == [int((rows.NOW - span).timestamp()) for span in (20 * DAY, DAY, 0 * DAY)]
    equal, raised = 1 / HEADS, 0.6 / (0.6 + 0.2 * (HEADS - 1))
    assert [share for _, share in steps] == pytest.approx([equal, raised, raised])
    assert len(block["series"]) == HEADS


def test_drafts_and_certificates_are_shown_night_by_night(client: Client, lived: list[LearningState]) -> None:
    page = client.get("/learning/").content.decode()

    drafted, certified = chart(page, "drafted-data"), chart(page, "certificate-data")
    assert [at for at, _ in points(drafted, "technical")] == [1625702400, 1625788800]  # the midnights after
    assert [value for _, value in points(certified, "against equal weights")] == [0.2, 0.5]
    assert [value for _, value in points(certified, "against the nearest")] == [1.2, 1.5]
    assert [value for _, value in points(certified, "most against equal")] == [2.0, 2.0]


def test_the_line_of_regret_ends_at_the_total_of_the_api(client: Client, lived: list[LearningState]) -> None:
    page = learning_page(30)

    assert page is not None
    assert page.regret.against_equal[-1][1] == pytest.approx(page.progress["regret_vs_equal"])
    assert page.regret.against_best[-1][1] == pytest.approx(page.progress["regret_vs_best_head"])
    assert page.regret.best_head == page.progress["best_head"]
    assert len(page.regret.against_equal) == 10  # days with decisions that matured


def test_what_became_of_versions_is_listed_newest_first_and_an_alarm_has_its_words(client: Client) -> None:
    rows.version()
    common = {"market_at": rows.NOW, "hash": "0" * 64}
    told = {"state_type": "head_weights", "version": 1, "by": "ada"}
    LearningEvent.objects.create(sequence=1, kind="pin", detail=told, **common)
    LearningEvent.objects.create(
        sequence=2, kind="drift", detail={"day": 18000, "words": "drift: it cost more"}, **common
    )

    words = said(client, "/learning/")

    assert words.index("drift: it cost more") < words.index("head weights version 1 by ada")


def test_what_people_did_is_marked_where_the_steps_have_a_point(client: Client, lived: list[LearningState]) -> None:
    at, told = rows.NOW - 2 * DAY, {"state_type": "head_weights", "version": 1, "by": "ada"}
    LearningEvent.objects.create(sequence=99, kind="rollback", detail=told, market_at=at, hash="0" * 64)

    marks = chart(client.get("/learning/").content.decode(), "in-force-data")["markers"]

    assert [(mark["time"], mark["text"]) for mark in marks] == [(int((rows.NOW - DAY).timestamp()), "rollback")]


def test_what_rounds_to_nothing_has_no_sign_of_less() -> None:
    assert (number(-0.001, 2), signed(-1e-9, 5), number(-0.006, 2)) == ("0.00", "+0.00000", f"{MINUS}0.01")


def test_before_anything_was_learned_the_page_says_so(client: Client) -> None:
    assert "Nothing has been learned" in said(client, "/learning/")
    assert "No such version" in said(client, "/learning/versions/")


def test_before_the_first_night_there_is_no_effect_and_no_figure_is_made_up(client: Client) -> None:
    rows.version(created_by="birth")

    words = said(client, "/learning/")

    assert "not known yet" in words
    assert "No night has learned yet." in words
    assert "No outcome matured in these days." in words


@pytest.mark.parametrize("asked", ["", "8", "-30", "x", "1e2"])
def test_a_stretch_that_is_not_offered_is_the_usual_one(client: Client, lived: list[LearningState], asked: str) -> None:
    assert client.get("/learning/", {"days": asked}).context["days"] == 30


def test_versions_are_listed_by_state_type_and_status_newest_first(client: Client, lived: list[LearningState]) -> None:
    create_version("thresholds", content={"quality_r": 0.05}, status="active", created_by="birth")

    def listed(**query: str) -> list[int]:
        found = client.get("/learning/versions/", query).context["versions"].rows
        return [row.version for row in found]

    assert listed() == [3, 2, 1]
    assert listed(status="challenger") == [2]
    assert listed(before="3") == [2, 1]
    assert listed(type="thresholds") == [1]
    assert listed(type="nonsense", status="nonsense", before="nonsense") == [3, 2, 1]


def test_older_versions_are_a_page_further_on(client: Client) -> None:
    for _ in range(27):
        rows.version()

    first = client.get("/learning/versions/")
    second = client.get("/learning/versions/", {"before": first.context["versions"].older})

    assert [row.version for row in first.context["versions"].rows] == list(range(27, 2, -1))
    assert [row.version for row in second.context["versions"].rows] == [2, 1]
    assert second.context["versions"].older is None
    assert "Older" in first.content.decode()


def test_a_version_tells_its_story_its_evidence_and_what_the_guards_said(
    client: Client, lived: list[LearningState]
) -> None:
    rows.signal(1.9, rows.NOW - HOUR, weight_version=3)
    rows.scan_close(rows.NOW - HOUR, weight_version=3, scans=20, signals=1)

    words = said(client, "/learning/versions/head_weights/3/")

    for sentence in story(account_of(lived[2])):
        assert " ".join(sentence.split()) in words
    assert lived[2].hash in words
    assert "opening passed E = 31" in words
    assert "of this version" in words
    assert "technical 0.200 0.500 +0.300 77" in words
    assert "3 days +1.500 2.000 +0.500" in words
    assert "log loss 0.6100 0.6000" in words
    assert "closes 1 scans 20 signals 1" in words
    assert "BTCUSDT" in words


def test_a_version_is_compared_with_the_one_in_force_or_with_another(
    client: Client, lived: list[LearningState]
) -> None:
    def against(path: str, **query: Any) -> Any:
        return client.get(path, query).context["diff"]["before"]["version"]

    assert against("/learning/versions/head_weights/1/") == 3
    assert against("/learning/versions/head_weights/3/") == 1  # in force itself: what it replaced
    assert against("/learning/versions/head_weights/1/", against=2) == 2
    assert "There is no version 99" in said(client, "/learning/versions/head_weights/3/", against=99)


@pytest.mark.parametrize("path", ["head_weights/9", "nonsense/1", "head_weights/99999999999", "thresholds/1"])
def test_a_version_that_nobody_knows_is_not_found(client: Client, lived: list[LearningState], path: str) -> None:
    assert client.get(f"/learning/versions/{path}/").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_nobody_looks_in_without_an_account_where_the_settings_forbid_it(
    client: Client, lived: list[LearningState], settings: Settings, path: str
) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


@pytest.mark.parametrize("path", PAGES)
def test_readers_see_no_button_that_acts_and_operators_do(
    client: Client, lived: list[LearningState], operator: User, path: str
) -> None:
    acts = ("rollback/", "/learning/freeze/", "pin/")

    assert not any(act in client.get(path).content.decode() for act in acts)
    client.force_login(operator)
    if path != "/learning/versions/":
        assert any(act in client.get(path).content.decode() for act in acts)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_however_much_there_is(client: Client, lived: list[LearningState], path: str) -> None:
    def asked() -> int:
        SHELF.forget()
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    def another(night: int) -> None:
        rows.version("rejected", None, created_by="nightly", period=f"2021-06-{night:02}", certificate=certificate())
        rows.event(1.0, rows.evidence(technical=0.3), rows.NOW - 3 * DAY)
        rows.signal(1.9, rows.NOW - HOUR)

    another(9)
    before = asked()
    for night in range(10, 15):
        another(night)

    assert asked() == before
    assert before <= 60


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_inline_script_or_style(client: Client, lived: list[LearningState], path: str) -> None:
    page = client.get(path).content.decode()

    assert " style=" not in page
    assert not search(r" on[a-z]+=", page)
    assert not search(r"<script(?![^>]*(src=|application/json))", page)


def test_marks_of_a_plot_lie_inside_it_and_keep_their_order() -> None:
    columns = {"skill": [0.1, None, -0.3], "skill_ci_low": [0.0, None, -0.5], "skill_ci_high": [0.2, None, -0.1]}
    given = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    first, missing, last = whiskers(given, "skill", "skill_")
    up, none, down = bars([0.3, None, -0.6])

    assert missing is None
    assert none is None
    assert first
    assert last
    assert up
    assert down
    assert 0 <= (last.low or 0) < last.at < last.zero < first.at < (first.high or 0) <= 160
    assert (up.is_up, down.is_up) == (True, False)
    assert down.width == pytest.approx(2 * up.width, abs=0.3)
    assert axis_around_zero([]).at(0.0) == axis_around_zero([0.0]).at(0.0)


def test_a_calibration_plot_leaves_empty_bins_out_and_puts_a_true_one_on_the_diagonal() -> None:
    true = {"stated": 0.5, "won": 0.5, "n": 9, "ci_low": 0.4, "ci_high": 0.6}
    empty = {"stated": 0.7, "won": None, "n": 0, "ci_low": None, "ci_high": None}

    plot = calibration_plot([true, empty])

    [dot] = plot.dots
    (left, bottom, _), (right, top, _) = plot.ticks[0], plot.ticks[4]
    assert dot.x == pytest.approx((left + right) / 2)
    assert dot.y == pytest.approx((bottom + top) / 2)
    assert (dot.high or 0) < dot.y < (dot.low or 0)
    assert calibration_plot([]).dots == []
