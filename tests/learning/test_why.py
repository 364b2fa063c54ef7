"""Why a version is what it is: gathered from rows, and scored on the outcomes that it decided itself."""

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from learning import services
from learning.by_hand import pin
from learning.models import LearningEvent, LearningState
from learning.selectors import weights_from
from learning.versions import VersionError
from learning.why import account_of, why
from signals.models import RejectedSignal, Signal
from signals.services import track
from tests.learning.outcomes import store_history


@pytest.fixture
def learned(db: None) -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    assert services.run_due_jobs() == 3


def version(number: int) -> LearningState:
    return LearningState.objects.get(state_type="head_weights", version=number)


def by_hand(number: int) -> tuple[float, float]:
    """Mean log-loss of both sides on the outcomes of version 1, under a version's weights: a plain loop."""
    weights, losses = weights_from(version(number).content), []
    for event in LearningEvent.objects.filter(kind="outcome", is_void=False, weight_version=1):
        assert event.net_r is not None
        assert event.mirror_net_r is not None
        assert event.side is not None
        pooled = float(np.dot(weights.beta, event.evidence or []))
        both = []
        for side, net_r in ((event.side, event.net_r), (-event.side, event.mirror_net_r)):
            margin = weights.bias[0 if side > 0 else 1] + side * pooled
            both.append(np.log1p(np.exp(-margin if net_r > 0 else margin)))
        losses.append(sum(both) / 2)
    return float(np.mean(losses)), len(losses)


def test_the_version_in_force_is_scored_on_what_it_decided(learned: None) -> None:
    told = why()

    loss, count = by_hand(1)
    assert (told["version"], told["after"]["outcomes"]) == (1, count)
    assert told["after"]["log_loss"] == pytest.approx(loss, rel=1e-12)
    assert told["after"]["saved"]["equal weights"]["value"] == 0.0
    assert told["after"]["days"] == 1
    assert "one day gives no interval" in told["words"][-1]


def test_a_night_tells_outcomes_moves_and_guards(learned: None) -> None:
    told = why(version=3)

    assert told["words"][0].startswith(
        f"Version 3 of the head weights was learned on 2021-06-12 from {told['outcomes']}"
    )
    assert told["new_outcomes"] == told["outcomes"] > 0
    assert (told["judged"], len(told["moves"])) == (3, 9)
    assert {"opening", "evidence", "replay"} <= set(told["verdicts"])
    assert any("effective events, 150 needed" in words for words in told["words"])
    assert told["effect"]["words"] in told["words"][-1]


def test_a_pinned_version_moves_from_what_it_replaced(learned: None) -> None:
    made = pin(version=3, by="ada")

    account = account_of(made)

    assert account.replaced == 1
    changes = weights_from(made.content).beta - weights_from(version(1).content).beta
    assert sorted(row["change"] for row in account.moves) == sorted(changes.tolist())


def test_the_command_speaks_and_answers_in_json(learned: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("why", "head_weights", "3")
    spoken = capsys.readouterr().out.splitlines()
    call_command("why", "head_weights", "3", "--json")
    answered = json.loads(capsys.readouterr().out)
    call_command("why", "thresholds")

    assert spoken == answered["words"]
    assert capsys.readouterr().out.startswith("Version 1 of the quality threshold was there at birth.")
    with pytest.raises(CommandError, match="has no version 77: versions 1 to 3 exist"):
        call_command("why", "head_weights", "77")


@pytest.mark.django_db
def test_without_versions_there_is_nothing_to_tell() -> None:
    with pytest.raises(VersionError, match="has no version in force: it has no versions yet"):
        why()
