"""The figures of a path, its gates and its Sharpe ratio against plain loops and scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import kurtosis, norm, skew

from learning.calendar import DAY_MS
from learning.evaluating.gates import ALL, gates_of
from learning.evaluating.paths import Trades
from learning.evaluating.period import Trace
from learning.evaluating.scores import figures_of, slope, yardstick
from learning.evaluating.sharpe import sharpe_of
from tests.learning.ledgers import number
from tests.learning.scored_scans import FIRST_DAY, LIMIT_MS, made_scans

HEADS = ("a", "b", "c")


def made_trace(seed: int = 0) -> Trace:
    scans = made_scans(seed=seed)
    leans = scans.side != 0
    said = {name: np.where(leans, 0.2 + 0.1 * place, np.nan) for place, name in enumerate((*HEADS, "equal", "zero"))}
    return Trace(scans, said)


def test_every_figure_is_the_plain_mean_over_its_rows() -> None:
    trace = made_trace()
    scans, rows = trace.scans, np.flatnonzero(np.isfinite(trace.scans.net_r))
    won = [scans.net_r[row] > 0 for row in rows]
    loss = [-np.log(scans.chance[row] if w else 1 - scans.chance[row]) for row, w in zip(rows, won, strict=True)]
    signals = [scans.net_r[row] for row in rows if scans.reason[row] == ""]

    found = figures_of(trace, HEADS, yardstick(scans, LIMIT_MS))

    assert (found.scans, found.scored) == (600, len(rows))
    assert found.log_loss.value == pytest.approx(np.mean(loss))
    assert found.brier.value == pytest.approx(
        np.mean([(scans.chance[r] - w) ** 2 for r, w in zip(rows, won, strict=True)])
    )
    assert found.lean_win_rate.value == pytest.approx(np.mean(won))
    assert (found.win_rate.value, found.win_rate.n) == (pytest.approx(np.mean(np.array(signals) > 0)), len(signals))
    assert found.expectancy_r.value == pytest.approx(np.mean(signals))
    assert found.total_r.value == pytest.approx(np.sum(signals))
    assert found.accept_rate.value == pytest.approx(np.mean(scans.reason == ""))
    assert sum(each.happened.n for each in found.bins) == len(rows)
    assert all(estimate.ci_low is not None for estimate in (found.log_loss, found.slope, found.total_r))


def test_regret_is_the_mean_difference_of_losses_on_the_same_brackets() -> None:
    trace = made_trace()
    rows = trace.scans.scored
    won, chance = trace.scans.net_r[rows] > 0, trace.scans.chance[rows]
    ours = -np.log(np.where(won, chance, 1 - chance))

    found = figures_of(trace, HEADS, yardstick(trace.scans, LIMIT_MS))

    for name, said in (("equal weights", 0.5), ("base rate", 0.6)):
        theirs = -np.log(np.where(won, said, 1 - said))
        assert found.regret[name].value == pytest.approx((ours - theirs).mean())
        assert number(found.regret[name].ci_low) < (ours - theirs).mean() < number(found.regret[name].ci_high)
    totals = {head: -np.log(np.where(won, p, 1 - p)).sum() for head, p in zip(HEADS, (0.2, 0.3, 0.4), strict=True)}
    assert found.best_head == min(totals, key=totals.__getitem__)
    assert found.regret["best single head"].value == pytest.approx(ours.mean() - min(totals.values()) / rows.sum())


def test_a_head_that_never_votes_is_not_the_best_one() -> None:
    trace = made_trace()
    votes = trace.scans.evidence.copy()
    votes[:, 1] = 0.0
    good = np.where(trace.scans.net_r > 0, 0.9, 0.1)
    silent = Trace(replace(trace.scans, evidence=votes), {**trace.rivals, "b": good})

    assert figures_of(silent, HEADS, yardstick(silent.scans, LIMIT_MS)).best_head != "b"


def test_the_slopes_interval_is_that_of_fits_made_anew_on_resampled_days() -> None:
    draw = np.random.default_rng(4)
    scans = made_scans(1400, days=29, seed=4)
    margin = draw.normal(-0.5, 0.6, 1400)
    day_shift = draw.normal(0, 0.5, 40)[scans.close_ms // DAY_MS - FIRST_DAY]
    won = draw.uniform(size=1400) < 1 / (1 + np.exp(-(0.8 * margin + day_shift)))
    stick = yardstick(scans, LIMIT_MS)

    found = slope(stick, 1 / (1 + np.exp(-margin)), won, np.full(1400, True))

    def refit(rows: np.ndarray) -> float:
        def loss(theta: np.ndarray) -> float:
            stated = theta[0] + theta[1] * margin[rows]
            return float((np.logaddexp(0, stated) - won[rows] * stated).sum())

        return float(minimize(loss, np.array([0.0, 1.0])).x[1])

    days = [np.flatnonzero(stick.block == block) for block in np.unique(stick.block)]
    drawn = [
        refit(np.concatenate([days[place] for place in draw.integers(0, len(days), len(days))])) for _ in range(150)
    ]
    assert found.value == pytest.approx(refit(np.arange(1400)), abs=1e-4)
    width = number(found.ci_high) - number(found.ci_low)
    assert width == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.25)


def test_a_gate_is_judged_by_the_shadows_it_was_first_to_refuse() -> None:
    scans = made_scans()
    result, taken = scans.net_r, scans.scored & (scans.reason == "")

    found = gates_of(scans, yardstick(scans, LIMIT_MS))

    assert set(found) == {ALL, "low_quality", "cooldown"}
    for reason in ("low_quality", "cooldown"):
        held = result[scans.scored & (scans.reason == reason)]
        assert found[reason].rejected == len(held)
        assert found[reason].rejected_r.value == pytest.approx(held.mean())
        assert found[reason].value_r.value == pytest.approx(result[taken].mean() - held.mean())
        assert found[reason].accuracy.value == pytest.approx((held < -0.1).sum() / (np.abs(held) > 0.1).sum())
    assert found[ALL].rejected == found["low_quality"].rejected + found["cooldown"].rejected


def test_what_lies_in_five_days_has_no_interval_and_in_six_it_has() -> None:
    scans = made_scans(skill=2.0)
    stick = yardstick(scans, LIMIT_MS)
    days = np.unique(stick.block)
    for count in (1, 5, 6):
        kept = np.isin(stick.block, days[:count]) & (np.arange(600) % 3 == 0)
        few = replace(scans, reason=np.where(kept, "", "low_quality"))
        figures, gate = figures_of(Trace(few, made_trace().rivals), HEADS, stick), gates_of(few, stick)[ALL]
        for estimate in (figures.expectancy_r, figures.win_rate, figures.total_r, gate.value_r):
            assert estimate.value is not None
            assert (estimate.ci_low is None, estimate.ci_high is None) == (count < 6, count < 6)


def test_without_a_signal_gates_have_no_value_and_no_scan_no_gates() -> None:
    scans = replace(made_scans(), reason=np.full(600, "low_quality"))

    found = gates_of(scans, yardstick(scans, LIMIT_MS))

    assert found["low_quality"].value_r.value is None
    nobody = replace(scans, net_r=np.full(600, np.nan))
    assert gates_of(nobody, yardstick(nobody, LIMIT_MS)) == {}
    assert figures_of(Trace(nobody, made_trace().rivals), HEADS, yardstick(nobody, LIMIT_MS)).best_head is None


def test_the_sharpe_ratio_takes_quiet_days_in_and_counts_every_trial() -> None:
    trials = {name: Trades.of(made_scans(seed=seed, skill=0.3)) for seed, name in enumerate("abcde")}
    nobody = trials["a"].take(slice(0, 0))
    days = np.arange(FIRST_DAY, FIRST_DAY + 20)

    found = sharpe_of(trials["a"], {**trials, "silent": nobody}, days)

    def daily(trades: Trades) -> np.ndarray:
        return np.array([trades.net_r[trades.close_ms // DAY_MS == day].sum() for day in days])

    ratios = [daily(each).mean() / daily(each).std(ddof=1) for each in trials.values()]
    returns = daily(trials["a"])
    assert found.daily == pytest.approx(ratios[0])
    assert (found.days, found.trials) == (20, 6)
    assert found.trial_variance == pytest.approx(np.var(ratios, ddof=1))
    best = np.sqrt(np.var(ratios, ddof=1)) * (
        (1 - 0.5772156649) * norm.ppf(1 - 1 / 6) + 0.5772156649 * norm.ppf(1 - 1 / (6 * np.e))
    )
    error = np.sqrt(1 - skew(returns) * ratios[0] + (kurtosis(returns, fisher=False) - 1) / 4 * ratios[0] ** 2)
    assert found.deflated == pytest.approx(norm.cdf((ratios[0] - best) * np.sqrt(19) / error))
    assert sharpe_of(nobody, {"silent": nobody}, days).deflated is None
