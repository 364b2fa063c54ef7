"""The calibration that each close decides under, fixed when it is opened; older closes had none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("signals", "0005_scan_reasons"),
    ]

    operations = [
        migrations.AddField(
            model_name="scanclose",
            name="calibration_version",
            field=models.IntegerField(null=True),
        ),
    ]
