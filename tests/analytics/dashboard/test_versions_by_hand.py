"""Acts on versions from their pages: told before they are done, done once, refused where the form is stale."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from analytics.selectors.acts import proposed_act
from analytics.selectors.kept import SHELF
from learning.by_hand import held_by, rollback
from learning.models import LearningEvent, LearningState
from learning.selectors import newest_in_force
from learning.versions import VersionError, create_version
from tests.analytics import rows
from tests.analytics.dashboard.pages import said, text_of

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
HEADS = len(rows.HEAD_NAMES)
ROLLBACK = "/learning/versions/head_weights/1/rollback/"
PROMOTE = "/learning/versions/head_weights/3/rollback/"
PIN = "/learning/versions/head_weights/1/pin/"
FREEZE, RELEASE = "/learning/freeze/", "/learning/release/"
ACTS = (ROLLBACK, PROMOTE, PIN, FREEZE, RELEASE)


def make_versions() -> None:
    """Version 1 ruled, version 2 rules, version 3 waits: its guards refused it."""
    rows.market_clock()
    rows.version()
    rows.version(effective_from=rows.NOW - DAY, weights=rows.weights([0.5] + [0.2] * (HEADS - 1)))
    rows.version(
        "challenger", None, created_by="nightly", period="2021-07-08", weights=rows.weights(0.3), notes="not proven"
    )
    verdicts = {"replay": {"passed": True, "reason": "no worse"}, "opening": {"passed": False, "reason": "E = 0.95"}}
    rows.job_run("daily_learning", "2021-07-08", status="done", report={"verdicts": verdicts})


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    SHELF.forget()
    yield
    SHELF.forget()


@pytest.fixture
def versions(db: None) -> None:
    make_versions()


@pytest.fixture
def acting(versions: None, operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def done(client: Client, path: str, expected: int = 2) -> tuple[str, str]:
    """Where a form that was sent leads to, and what that page says."""
    answer = client.post(path, {"expected": expected})
    return answer["Location"], said(client, answer["Location"])


def made() -> tuple[int, int]:
    """How many versions and how many events there are beside those of the fixture."""
    return LearningState.objects.count() - 3, LearningEvent.objects.count()


def content_of(version: int) -> dict[str, object]:
    content: dict[str, object] = LearningState.objects.get(state_type="head_weights", version=version).content
    return content


@pytest.mark.parametrize("path", ACTS)
def test_looking_at_an_act_does_nothing(acting: Client, path: str) -> None:
    assert acting.get(path).status_code == 200
    assert made() == (0, 0)


def test_a_roll_back_is_told_then_done_once_and_recorded_by_name(acting: Client) -> None:
    before = said(acting, ROLLBACK)
    place, after = done(acting, ROLLBACK)

    assert "Roll back to version 1?" in before
    assert "put in force from 2021-07-10 12:01 market time on" in before
    assert "Version 2, in force now, stops deciding then" in before
    assert "promotion by hand" not in before
    assert "technical 0.500 0.200" in before
    assert place == "/learning/versions/head_weights/4/"
    assert "Done: version 4 of the head weights decides from 2021-07-10 12:01 market time on." in after
    assert made() == (1, 1)
    ruling, event = newest_in_force("head_weights"), LearningEvent.objects.get()
    assert ruling is not None
    assert (ruling.version, ruling.content, ruling.created_by) == (4, content_of(1), "rollback by operator")
    assert (event.kind, event.detail["by"], event.detail["to"]) == ("rollback", "operator", 1)


def test_what_the_page_foretells_is_when_the_version_takes_over(acting: Client) -> None:
    act = proposed_act("rollback", "head_weights", 1, at=rows.NOW, by="operator")
    done(acting, ROLLBACK)

    ruling = newest_in_force("head_weights")
    assert act is not None
    assert ruling is not None
    assert ruling.effective_from is not None
    assert f"{ruling.effective_from:%Y-%m-%d %H:%M}" in act.effects[0]


def test_a_version_that_takes_over_later_is_not_overtaken_and_the_page_knows(acting: Client) -> None:
    rows.version(effective_from=rows.NOW + DAY)

    assert "put in force from 2021-07-11 12:00 market time on" in said(acting, ROLLBACK)
    done(acting, ROLLBACK, expected=4)
    assert LearningState.objects.get(version=5).effective_from == rows.NOW + DAY


def test_a_promotion_by_hand_says_so_and_which_guards_refused(acting: Client) -> None:
    before = said(acting, PROMOTE)
    done(acting, PROMOTE)

    assert "Promote version 3 by hand?" in before
    assert "This is a promotion by hand." in before
    assert "opening: E = 0.95" in before
    assert "replay" not in before.split("What it is")[0]  # it passed
    assert content_of(4) == content_of(3)


def test_a_waiting_version_without_verdicts_says_why_it_waits(acting: Client) -> None:
    rows.version("rejected", None, created_by="weekly", notes="slope too steep")

    assert "did not go live by itself (rejected): slope too steep" in said(
        acting, "/learning/versions/head_weights/4/rollback/"
    )


def test_other_state_types_are_rolled_back_too(acting: Client) -> None:
    for value in (0.05, 0.08):
        create_version(
            "thresholds", content={"quality_r": value}, status="active", created_by="x", effective_from=rows.NOW - DAY
        )

    before = said(acting, "/learning/versions/thresholds/1/rollback/")
    place, _ = done(acting, "/learning/versions/thresholds/1/rollback/")

    assert "quality r 0.0800 0.0500" in before
    assert place == "/learning/versions/thresholds/3/"
    assert LearningState.objects.get(state_type="thresholds", version=3).content == {"quality_r": 0.05}


def test_the_weights_are_pinned_and_released(acting: Client) -> None:
    assert "No night replaces it until somebody releases it" in said(acting, PIN)
    done(acting, PIN)
    assert held_by() == "version 4, pin by operator"
    assert "held by hand" in said(acting, "/learning/")

    assert "The weights are held already" in said(acting, FREEZE)
    done(acting, RELEASE, expected=4)
    assert held_by() == ""
    assert made() == (2, 2)


def test_the_weights_in_force_are_frozen(acting: Client) -> None:
    assert "No weight changes by this." in said(acting, FREEZE)
    done(acting, FREEZE)

    assert held_by() == "version 4, freeze by operator"
    assert content_of(4) == content_of(2)


def test_undo_leads_back_to_what_said_something_else(acting: Client) -> None:
    assert "Undo: back to version 1" in said(acting, "/learning/")
    done(acting, FREEZE)
    assert "Undo: back to version 1" in said(acting, "/learning/")
    done(acting, ROLLBACK, expected=4)
    assert "Undo: back to version 4" in said(acting, "/learning/")


@pytest.mark.parametrize("path", [ROLLBACK, PROMOTE, PIN, FREEZE])
def test_a_form_sent_twice_acts_once(acting: Client, path: str) -> None:
    done(acting, path)
    _, after = done(acting, path)

    assert made() == (1, 1)
    assert "Nothing was done: version 2 of head_weights was in force when this was asked" in after
    assert "but now version 4" in after


def test_a_form_from_before_the_night_is_refused(acting: Client) -> None:
    form = acting.get(ROLLBACK).context["form"].initial
    rows.version(effective_from=rows.NOW - MINUTE, created_by="nightly")

    answer = acting.post(ROLLBACK, form)

    assert answer["Location"] == ROLLBACK
    assert made() == (1, 0)  # the night's


@pytest.mark.parametrize("sent", [{}, {"expected": ""}, {"expected": "x"}, {"expected": "-1"}, {"expected": "9" * 30}])
def test_a_form_that_does_not_say_what_was_in_force_does_nothing(acting: Client, sent: dict[str, str]) -> None:
    answer = acting.post(ROLLBACK, sent, follow=True)

    assert "Nothing was done" in text_of(answer.content.decode())
    assert made() == (0, 0)


def test_what_the_service_refuses_is_a_message_and_nothing_is_done(acting: Client) -> None:
    _, after = done(acting, RELEASE)

    assert "Nothing was done: nothing is held" in after
    assert "Nothing is held: the nights may move the weights." in after
    assert "Yes:" not in after
    assert made() == (0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "/learning/versions/head_weights/9/rollback/",
        "/learning/versions/nonsense/1/rollback/",
        "/learning/versions/calibration/1/rollback/",
        "/learning/versions/head_weights/9/pin/",
        "/learning/versions/head_weights/99999999999/pin/",
    ],
)
def test_there_is_no_act_on_a_version_that_nobody_knows(acting: Client, path: str) -> None:
    assert acting.get(path).status_code == 404
    acting.post(path, {"expected": 2})
    assert made() == (0, 0)


@pytest.mark.parametrize("path", ACTS)
def test_readers_may_not_act(versions: None, reader: User, path: str) -> None:
    client = Client()
    client.force_login(reader)

    assert (client.get(path).status_code, client.post(path, {"expected": 2}).status_code) == (403, 403)
    assert made() == (0, 0)


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("open_reads", [True, False])
def test_nobody_acts_without_an_account(
    client: Client, versions: None, settings: Settings, path: str, open_reads: bool
) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = open_reads

    answers = client.get(path), client.post(path, {"expected": 2})

    assert [answer["Location"].split("?")[0] for answer in answers] == ["/login/"] * 2
    assert made() == (0, 0)


def test_a_member_of_the_operators_acts(versions: None, reader: User) -> None:
    reader.groups.add(Group.objects.get_or_create(name="operators")[0])
    client = Client()
    client.force_login(reader)

    done(client, ROLLBACK)
    assert LearningEvent.objects.get().detail["by"] == "reader"


def test_a_form_from_elsewhere_is_refused(versions: None, operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)

    assert client.post(ROLLBACK, {"expected": 2}).status_code == 403
    assert made() == (0, 0)


@pytest.mark.parametrize("path", ACTS)
def test_an_acts_page_asks_few_questions(acting: Client, path: str) -> None:
    with CaptureQueriesContext(connection) as seen:
        acting.get(path)

    assert len(seen) <= 40


@pytest.mark.django_db(transaction=True)
def test_of_two_forms_sent_at_once_one_acts() -> None:
    make_versions()

    def ask(by: str) -> str:
        try:
            return rollback(state_type="head_weights", version=1, by=by, expected=2).created_by
        except VersionError:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        said_by = list(pool.map(ask, ("ada", "bob", "cyd", "dan")))

    assert said_by.count("refused") == 3
    assert made() == (1, 1)
