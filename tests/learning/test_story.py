"""The words about a version say what its figures say."""

from dataclasses import replace
from datetime import UTC, datetime

from learning.evaluation import Estimate
from learning.story import Account, AfterTheFact, story

NIGHT = Account(
    state_type="head_weights",
    version=23,
    status="active",
    created_by="nightly",
    period="2021-07-02",
    notes="no guard objected",
    effective_from=datetime(2021, 7, 3, 0, 15, tzinfo=UTC),
    effective_until=datetime(2021, 7, 4, 0, 15, tzinfo=UTC),
    outcomes=9825,
    new_outcomes=412,
    first_decided=datetime(2021, 6, 12, 9, 15, tzinfo=UTC),
    last_decided=datetime(2021, 7, 1, 20, 0, tzinfo=UTC),
    replaced=21,
    moves=(
        {"head": "smart_money", "before": 0.2, "after": 0.17, "change": -0.03, "outcomes_tonight": 310},
        {"head": "volume", "before": 0.2, "after": 0.201, "change": 0.001, "outcomes_tonight": 5},
    ),
    content={},
    judged=23,
    verdicts={
        "opening": {"passed": True, "reason": "it beats equal weights"},
        "replay": {"passed": False, "reason": "it is worse"},
    },
    certificate={
        "holds": True,
        "nights": 20,
        "excess": {"equal": 1.5, "zero": -3.0, "7 days": 2.0},
        "bound": {"equal": 4.0, "zero": 9.0, "7 days": 2.25},
    },
    effect={"words": "On 900 scans it saved 0.001 nats."},
    after=AfterTheFact(
        400,
        2,
        0.61,
        {"version 21": Estimate(0.002, 400, 0.001, 0.003), "equal weights": Estimate(-0.01, 400, -0.03, 0.01)},
    ),
)


def test_a_night_is_told_in_full() -> None:
    assert story(NIGHT) == [
        "Version 23 of the head weights was learned on 2021-07-02 from 9,825 outcomes (412 new), decided from "
        "2021-06-12 09:15 to 2021-07-01 20:00. No guard objected.",
        "It was in force from 2021-07-03 00:15 until 2021-07-04 00:15.",
        "What moved from version 21: smart_money moved from 0.20 to 0.17 (it had voted on 310 of the night's outcomes)."
        " 1 more did not move by 0.005.",
        "The guards of that night: opening passed: it beats equal weights; replay refused: it is worse.",
        "The certificate holds after 20 nights: excess log-loss in nats +1.50 of at most 4.00 against equal, "
        "-3.00 of at most 9.00 against zero; nearest to its bound is 7 days (+2.00 of 2.25).",
        "As known that night: On 900 scans it saved 0.001 nats.",
        "After the fact: on the 400 outcomes of 2 days that it decided itself its log-loss was 0.61000 nats; "
        "it saved 0.00200 a lean against version 21 (95 % interval of what was saved +0.00100 to +0.00300: better); "
        "it cost 0.01000 a lean against equal weights (95 % interval of what was saved -0.03000 to +0.01000: "
        "not to be told apart).",
    ]


def test_one_day_gives_no_interval_and_no_outcome_no_figure() -> None:
    one_day = AfterTheFact(3, 1, 0.7, {"equal weights": Estimate(0.1, 3)})

    assert "one day gives no interval" in story(replace(NIGHT, after=one_day))[-1]
    assert "nothing can be said after the fact" in story(replace(NIGHT, after=AfterTheFact()))[-1]


def test_what_never_decided_says_so() -> None:
    refused = replace(NIGHT, status="rejected", effective_from=None, effective_until=None, after=None)

    assert story(refused)[1] == "It was refused and never decided."
    assert not any("After the fact" in words for words in story(refused))


def test_the_guards_of_a_night_that_renewed_equal_weights_judged_the_draft_beside_them() -> None:
    renewed = story(replace(NIGHT, judged=24))

    assert any(
        words.startswith("The guards of that night judged version 24, the learner's draft:") for words in renewed
    )


def test_a_broken_certificate_is_not_hushed_up() -> None:
    broken = replace(NIGHT, certificate={**NIGHT.certificate, "holds": False})

    assert any(words.startswith("The certificate DOES NOT HOLD") for words in story(broken))


def test_versions_by_hand_and_of_structure_are_told_too() -> None:
    pinned = replace(NIGHT, created_by="pin by ada", period="", notes="Pinned to version 4.", verdicts={})
    week = replace(
        NIGHT, state_type="thresholds", created_by="weekly", period="2021-W26", content={"quality_r": 0.071},
        new_outcomes=None, first_decided=None, after=None, certificate={}, verdicts={}, effect={},
    )  # fmt: skip

    assert story(pinned)[0] == "Version 23 of the head weights was made by hand (pin by ada). Pinned to version 4."
    assert story(week) == [
        "Version 23 of the quality threshold was learned for the week 2021-W26 from 9,825 scans. No guard objected.",
        "It was in force from 2021-07-03 00:15 until 2021-07-04 00:15.",
        "It says: quality_r 0.071.",
    ]
