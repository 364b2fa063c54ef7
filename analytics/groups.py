"""The groups of the admin: readers see what was recorded, operators may also do what its pages offer."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from analytics.access import OPERATORS, READERS

# Records, without what belongs to one person (tokens) or may hold an address's key (channels).
SEEN = ("alphapulse_site", "ingestion", "signals", "learning")
# Where a page offers something to do, the permission to change a row is the permission to do it.
OPERATED = {
    "alphapulse_site": ("change_parkedtask",),
    "ingestion": ("change_symbol", "change_candlegap"),
    "signals": ("change_signal", "change_rejectedsignal"),
    "learning": ("change_learningstate",),
    "analytics": (
        *("view_channel", "add_channel", "change_channel"),
        *("view_notification", "change_notification"),
    ),
}


def grant_permissions() -> None:
    """Make both groups and give them what they lack, after every migration; what was added by hand is left."""
    seen = operated = Q(content_type__app_label__in=SEEN, codename__startswith="view_")
    for app, names in OPERATED.items():
        operated |= Q(content_type__app_label=app, codename__in=names)
    for name, chosen in ((READERS, seen), (OPERATORS, operated)):
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(chosen))
