"""Versions name their first and last event by scan; outcomes are found by maturity."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0002_append_only")]

    operations = [
        # The columns were never filled, so nothing is lost by making them anew.
        migrations.RemoveField(model_name="learningstate", name="first_event"),
        migrations.RemoveField(model_name="learningstate", name="last_event"),
        migrations.AddField(model_name="learningstate", name="first_event", field=models.UUIDField(null=True)),
        migrations.AddField(model_name="learningstate", name="last_event", field=models.UUIDField(null=True)),
        migrations.AddIndex(
            model_name="learningevent",
            index=models.Index(
                condition=models.Q(("kind", "outcome")), fields=["matured_at"], name="events_by_maturity"
            ),
        ),
    ]
