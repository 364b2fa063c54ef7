"""Room for the reasons of each head beside its vote, packed; older scans have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("signals", "0004_indexes_by_maturity"),
    ]

    operations = [
        migrations.AddField(
            model_name="scanhistory",
            name="reasons",
            field=models.BinaryField(null=True),
        ),
    ]
