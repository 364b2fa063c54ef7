"""The planted command: figures as JSON, as a table, as a page that asks nobody, and nonsense refused."""

import json
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from learning.planted.trials import Job, done, jobs
from learning.planted_pool import results_of

TINY = ("--seeds", "2", "--days", "3", "--reference", "1000", "--processes", "1")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("planted", *arguments, stdout=out)
    return out.getvalue()


def test_json_has_every_line_of_the_specification_and_nothing_else() -> None:
    found = json.loads(run("--world", "N", "--json", *TINY))

    lines = {line["claim"]: line for line in found["acceptance"]}
    noise = lines["N cold: excess log-loss over ln 2"]
    assert (noise["relation"], noise["bound"], noise["met"], noise["seeds"]) == ("<=", 0.002, False, 2)
    assert lines["A cold: mean share of the gain"]["met"] is None
    assert lines["nights without a valid certificate, all runs"]["met"] is True
    assert set(found["worlds"]) == {"N"}
    assert found["worlds"]["N"]["cold"]["learner"]["win_rate_week_1"]["seeds"] == 0
    assert found["worlds"]["N"]["cold"]["oracle"]["excess_log_loss"]["value"] == pytest.approx(0.0, abs=1e-9)


def test_the_report_is_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    said = run("--world", "B", "--report", str(tmp_path / "deep"), *TINY)

    html = (tmp_path / "deep" / "planted.html").read_text()
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Reader().feed(html)
    assert "script" not in tags
    assert "://" not in html
    assert tags.count("svg") == 4
    assert json.loads((tmp_path / "deep" / "planted.json").read_text())["days"] == 3
    assert "B cold: mean share of the gain" in said
    assert "naive hit rates, cold" in said
    assert "not measured" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--world", "D"), "there is no world D; name some of A, B, C, N, steady, drawn"),
        (("--world", ","), "no world named"),
        (("--seeds", "0"), "'0' seeds: give a whole number from 1 on"),
        (("--days", "-4"), "'-4' days: give a whole number from 3 on"),
        (("--processes", "two"), "'two' processes"),
        (("--reference", "10"), "'10' scans"),
    ],
)
def test_nonsense_is_refused_in_words(arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run(*arguments)


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="cannot be written to"):
        run("--world", "N", "--report", str(tmp_path / "file"), *TINY)


def test_all_worlds_and_the_shuffled_runs_are_planned_seed_by_seed() -> None:
    planned = jobs(["A", "steady"], seeds=2, days=5, reference=1000, shuffled=True)

    assert [job.seed for job in planned] == sorted(job.seed for job in planned)
    assert {(job.trial, job.kind) for job in planned} == {
        *(("cold", "A"), ("warm", "A"), ("opening", "A"), ("warm opening", "A"), ("offers", "A")),
        *(("pinned", "A"), ("released", "A"), ("shuffled", "A"), ("cold", "steady"), ("accepted", "steady")),
    }


def test_processes_find_what_one_finds() -> None:
    asked = [Job("cold", "B", seed, 3, 1000) for seed in (0, 1)]

    found = sorted(results_of(asked, 2), key=lambda each: each.job.seed)

    assert found == [done(job) for job in asked]
