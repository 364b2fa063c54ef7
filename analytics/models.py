"""What the API itself has to remember."""

from django.conf import settings
from django.db import models

from alphapulse_site.models import JobRun


class AcknowledgedRequest(models.Model):
    """A write that came with an Idempotency-Key: the same key again gets the run it got first."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(
        max_length=64, help_text="sha256 of the job and period as sent that the key was first used with"
    )
    job_run = models.ForeignKey(JobRun, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "acknowledged_requests"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.job_run}"
