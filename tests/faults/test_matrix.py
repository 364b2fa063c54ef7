"""Every row of the fault matrix has its test, and the random soak is the same again for the same seed."""

import ast
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.matrix import MATRIX
from tests.faults.plan import PARTS, injections
from tests.faults.protections import PROTECTIONS

ROOT = Path(__file__).resolve().parents[2]


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


@pytest.mark.parametrize("row", MATRIX)
def test_a_row_of_the_matrix_has_a_test_that_exists(row: str) -> None:
    assert MATRIX[row], f"nobody does this: {row}"
    for name in MATRIX[row]:
        file, _, test = name.partition("::")
        assert test in names_in(file), name


def test_of_every_test_it_is_known_what_was_taken_away_to_see_it_fail() -> None:
    assert {name for names in MATRIX.values() for name in names} == set(PROTECTIONS)


@pytest.mark.parametrize("part", PARTS)
def test_a_seed_gives_the_same_faults_again(part: str) -> None:
    def first(seed: int) -> list[tuple[float, str, float]]:
        return [(each.after, each.name, each.seconds) for each in islice(injections(part, seed), 50)]

    assert first(3) == first(3)
    assert first(3) != first(4)
