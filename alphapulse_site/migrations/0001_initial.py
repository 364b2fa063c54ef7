from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                ("beat_at", models.DateTimeField()),
                ("market_at", models.DateTimeField(blank=True, null=True)),
                ("figures", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "db_table": "heartbeats",
            },
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.CharField(max_length=60)),
                ("period", models.CharField(max_length=60)),
                (
                    "status",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("market_at", models.DateTimeField(blank=True, null=True)),
                ("report", models.JSONField(blank=True, default=dict)),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "db_table": "job_runs",
                "indexes": [models.Index(fields=["job", "-started_at"], name="job_runs_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "period"), name="job_runs_once_a_period"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["running", "done", "failed"])),
                        name="job_runs_status_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MarketClock",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "mode",
                    models.CharField(
                        choices=[("wall", "Wall"), ("recording", "Recording")], default="wall", max_length=10
                    ),
                ),
                ("closed_until", models.DateTimeField(blank=True, null=True)),
                ("speed", models.FloatField(default=1.0)),
                ("detail", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "db_table": "market_clock",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="market_clock_has_one_row"),
                    models.CheckConstraint(
                        condition=models.Q(("mode__in", ["wall", "recording"])), name="market_clock_mode_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("speed__gt", 0), ("speed__lt", float("inf"))),
                        name="market_clock_speed_is_a_number",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ParkedTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task_id", models.CharField(max_length=100, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("args", models.JSONField(blank=True, default=list)),
                ("kwargs", models.JSONField(blank=True, default=dict)),
                ("error", models.TextField()),
                ("parked_at", models.DateTimeField()),
            ],
            options={
                "db_table": "parked_tasks",
                "indexes": [models.Index(fields=["-parked_at"], name="parked_tasks_newest")],
            },
        ),
    ]
