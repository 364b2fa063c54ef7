"""The groups of the admin: readers see everything of ours, operators may also do what its pages offer."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from analytics.access import OPERATORS, READERS

OURS = ("alphapulse_site", "ingestion", "signals", "learning", "analytics")
# Where a page offers something to do, the permission to change a row is the permission to do it.
OPERATED = {
    "alphapulse_site": ("parkedtask",),
    "ingestion": ("symbol", "candlegap"),
    "signals": ("signal", "rejectedsignal"),
    "learning": ("learningstate",),
}


def grant_permissions() -> None:
    """Make both groups and give them what they lack, after every migration; what was added by hand is left."""
    seen = Q(content_type__app_label__in=OURS, codename__startswith="view_")
    operated = Q()
    for app, models in OPERATED.items():
        operated |= Q(content_type__app_label=app, codename__in=[f"change_{model}" for model in models])
    for name, chosen in ((READERS, seen), (OPERATORS, seen | operated)):
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(chosen))
