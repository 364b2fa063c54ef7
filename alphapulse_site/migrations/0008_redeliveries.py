from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alphapulse_site", "0007_parked_with_traceback"),
    ]

    operations = [
        migrations.CreateModel(
            name="Redelivery",
            fields=[
                ("task_id", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("times", models.PositiveIntegerField()),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "redeliveries",
                "db_table": "redeliveries",
            },
        ),
    ]
