"""The ledger also tells of versions held by hand and of drift."""

from django.db import migrations, models

KINDS = ["outcome", "promotion", "rejection", "rollback", "job", "pin", "freeze", "release", "drift"]


class Migration(migrations.Migration):
    dependencies = [("learning", "0003_evidence_by_scan")]

    operations = [
        migrations.AlterField(
            model_name="learningevent",
            name="kind",
            field=models.TextField(choices=[(kind, kind) for kind in KINDS]),
        ),
    ]
