"""Alert rules, dashboard and services of docker/: they name what /metrics tells, and alerts come when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from analytics.selectors.standing import IS_WORSE
from tests.analytics.test_metrics import everything, market, samples

__all__ = ["market"]  # the fixture of those tests
ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "docker" / "monitoring"
CASES = Path(__file__).with_name("alert_cases.yml")
NAME = re.compile(r"\balphapulse_[a-z_]+\b")
MATCHER = re.compile(r'\b(alphapulse_[a-z_]+)\{(\w+)(!?=)"([^"]+)"\}')


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    board = json.loads((MONITORING / "grafana" / "dashboards" / "alphapulse.json").read_text(encoding="utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Every question that is asked of Prometheus, by who asks it."""
    asked = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in panels():
        asked |= {f"panel {panel['title']} {each['refId']}": each["expr"] for each in panel["targets"]}
    return asked


@pytest.mark.django_db
def test_rules_and_dashboard_name_only_what_metrics_tell(anonymous: APIClient) -> None:
    everything()
    text = anonymous.get("/metrics").content.decode()
    told = {name for name, _ in samples(text)} | {"alphapulse_build_info"}

    used = {name: who for who, expression in expressions().items() for name in NAME.findall(expression)}

    assert {name: who for name, who in used.items() if name not in told} == {}
    assert len(used) > 30
    values = set(samples(text)) | {("alphapulse_learner_e_value", IS_WORSE)}
    for who, expression in expressions().items():
        for name, _, _, value in MATCHER.findall(expression):
            assert (name, value) in values, f"{who}: no {name} of {value}"


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert all(rule["annotations"][part].endswith(".") for part in ("summary", "action")), rule


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_and_its_rules(tmp_path: Path) -> None:
    promtool("check", "rules", str(MONITORING / "rules.yml"))
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    shutil.copy(MONITORING / "rules.yml", tmp_path)
    said = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(said.replace("/run/secrets/metrics_token", str(token)), encoding="utf-8")

    promtool("check", "config", str(tmp_path / "prometheus.yml"))


def test_alerts_come_when_they_should_and_not_before() -> None:
    promtool("test", "rules", str(CASES))


def test_compose_gives_prometheus_and_grafana_their_files_and_secrets() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    services = {name: compose["services"][name] for name in ("prometheus", "grafana")}

    for service in services.values():
        assert service["profiles"] == ["monitoring"]
        assert set(service["secrets"]) <= set(compose["secrets"])
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert (ROOT / "docker" / source).exists() if source.startswith(".") else source in compose["volumes"]
    # Prometheus asks for the web process by this name, which Django must know.
    [target] = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0][
        "static_configs"
    ][0]["targets"]
    host = target.partition(":")[0]
    assert compose["services"]["web"]["environment"]["ALLOWED_HOSTS"].endswith(f",{host}")
