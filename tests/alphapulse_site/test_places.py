"""Where things lie, said as somebody would type it."""

from pathlib import Path

import pytest

from alphapulse_site.places import as_typed


def test_a_path_below_the_working_directory_is_said_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert as_typed(tmp_path / "var" / "log") == "var/log"
    assert as_typed(str(tmp_path)) == "."


def test_a_path_elsewhere_is_said_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert as_typed(tmp_path / "there") == str(tmp_path / "there")
