"""COPY into PostgreSQL gives back what went in, whatever it was."""

import math
import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.test.utils import isolate_apps
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alphapulse_site.copying import copy_rows

pytestmark = pytest.mark.django_db

NASTY = [
    *("", " ", "\t", "\n", "\r", "\r\n", "\\", "\\N", "\\.", "\\n", "a\tb\nc\\d\re", "NULL", "null", "\\\\N"),
    *('"', "'", ",", "{}", "{a,b}", "ä€漢🦊", "\x0b\x0c\x1b", "\u2028", "trailing\\"),
]
FLOATS = [
    0.0,
    -0.0,
    0.1,
    1 / 3,
    5e-324,
    1.7976931348623157e308,
    -1e-300,
    math.inf,
    -math.inf,
    math.nan,
    1e16,
    123456789.0,
]


@pytest.fixture(scope="module")
def everything(django_db_setup: None, django_db_blocker: Any) -> Iterator[type[models.Model]]:
    """A table with a column of every kind we store, for this module only."""
    with isolate_apps("alphapulse_site"):

        class Everything(models.Model):
            key = models.TextField(primary_key=True)
            text = models.TextField(null=True)
            number = models.FloatField(null=True)
            whole = models.BigIntegerField(null=True)
            truth = models.BooleanField(null=True)
            floats = ArrayField(models.FloatField(null=True), null=True)
            texts = ArrayField(models.TextField(null=True), null=True)
            truths = ArrayField(models.BooleanField(), null=True)
            nested = ArrayField(ArrayField(models.IntegerField()), null=True)
            identity = models.UUIDField(null=True)
            raw = models.BinaryField(null=True)
            document = models.JSONField(null=True)
            encoded = models.JSONField(null=True, encoder=DjangoJSONEncoder)
            moment = models.DateTimeField(null=True)
            day = models.DateField(null=True)
            span = models.DurationField(null=True)

            class Meta:
                app_label = "alphapulse_site"
                db_table = "copied_everything"

    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            editor.create_model(Everything)
        yield Everything
        with connection.schema_editor() as editor:
            editor.delete_model(Everything)


def copied(model: type[models.Model], **columns: Any) -> Any:
    """The row as it comes back after it was copied in."""
    key = uuid.uuid4().hex
    assert copy_rows(model, [model(key=key, **columns)]) == 1
    return model._default_manager.get(key=key)


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


@pytest.mark.parametrize("text", NASTY)
def test_text_comes_back_as_it_was(everything: type[models.Model], text: str) -> None:
    assert copied(everything, text=text).text == text


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(everything: type[models.Model], text: str) -> None:
    row = copied(everything, text=text, texts=[text, None, text], document={text: [text]})

    assert (row.text, row.texts) == (text, [text, None, text])
    assert row.document == {text: [text]}


def test_nothing_and_the_empty_text_stay_two_things(everything: type[models.Model]) -> None:
    assert copied(everything, text="").text == ""
    assert copied(everything, text=None).text is None
    assert copied(everything, texts=["", None, "NULL"]).texts == ["", None, "NULL"]
    assert copied(everything, texts=[]).texts == []
    assert copied(everything, texts=None).texts is None


@pytest.mark.parametrize("number", FLOATS)
def test_a_float_keeps_every_bit(everything: type[models.Model], number: float) -> None:
    row = copied(everything, number=number, floats=[number, None, number])

    assert bits(row.number) == bits(number)
    assert row.floats[1] is None
    assert [bits(value) for value in row.floats[::2]] == [bits(number)] * 2


def test_numpy_figures_are_taken_as_what_they_are(everything: type[models.Model]) -> None:
    row = copied(everything, number=np.float64(1 / 3), whole=np.int64(2**53 + 1), truth=True)

    assert (row.number, row.whole, row.truth) == (1 / 3, 2**53 + 1, True)


def test_arrays_of_truths_and_of_arrays_come_back(everything: type[models.Model]) -> None:
    row = copied(everything, truths=[True, False], nested=[[1, -2], [3, 4]])

    assert (row.truths, row.nested) == ([True, False], [[1, -2], [3, 4]])


def test_texts_in_arrays_may_hold_whatever_separates_them(everything: type[models.Model]) -> None:
    assert copied(everything, texts=NASTY).texts == NASTY


def test_identities_and_bytes_come_back(everything: type[models.Model]) -> None:
    identity, raw = uuid.UUID(int=2**127 + 1), bytes(range(256))

    row = copied(everything, identity=identity, raw=raw)

    assert (row.identity, bytes(row.raw)) == (identity, raw)
    assert bytes(copied(everything, raw=b"").raw) == b""
    assert copied(everything, raw=None).raw is None


@pytest.mark.parametrize(
    "document", [{}, [], "", "a\tb\n\\", 0.1, True, {"a": [1, None, {"b": "\\N"}]}, {"ä\n": "€"}, [[["BTCUSDT"]]]]
)
def test_a_document_comes_back(everything: type[models.Model], document: Any) -> None:
    assert copied(everything, document=document).document == document


def test_a_document_without_value_is_null_in_the_database(everything: type[models.Model]) -> None:
    copied(everything, document=None)

    assert everything._default_manager.filter(document__isnull=True).exists()


def test_a_documents_own_encoder_is_used(everything: type[models.Model]) -> None:
    assert copied(everything, encoded={"day": date(2024, 2, 29)}).encoded == {"day": "2024-02-29"}


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2021, 6, 11, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_moment_and_its_day_come_back(everything: type[models.Model], moment: datetime) -> None:
    row = copied(everything, moment=moment, day=moment.date())

    assert (row.moment, row.day) == (moment, moment.date())


def test_existing_keys_are_left_alone(everything: type[models.Model]) -> None:
    copy_rows(everything, [everything(key="first", text="old")])

    added = copy_rows(everything, [everything(key="first", text="new"), everything(key="second", text="new")])

    assert added == 1
    assert dict(everything._default_manager.values_list("key", "text")) == {"first": "old", "second": "new"}


def test_of_a_key_given_twice_one_row_is_written(everything: type[models.Model]) -> None:
    assert copy_rows(everything, [everything(key="twin", text="a"), everything(key="twin", text="b")]) == 1
    assert everything._default_manager.values_list("text", flat=True).get(key="twin") == "a"


def test_no_rows_are_no_work(everything: type[models.Model]) -> None:
    assert copy_rows(everything, []) == 0


def test_more_rows_than_a_chunk_are_all_copied(everything: type[models.Model], monkeypatch: Any) -> None:
    monkeypatch.setattr("alphapulse_site.copying.CHUNK", 3)

    assert copy_rows(everything, (everything(key=f"row {number}") for number in range(10))) == 10
    assert everything._default_manager.filter(key__startswith="row ").count() == 10


def test_a_value_without_a_text_form_is_refused_by_name(everything: type[models.Model]) -> None:
    with pytest.raises(TypeError, match="copy_rows cannot write a timedelta; add its text form"):
        copy_rows(everything, [everything(key="span", span=timedelta(seconds=1))])
