"""Every app's pages. This is one of the two places that look upward (design: floors)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("analytics.urls")),
]
handler404 = "analytics.api.errors.not_found"
handler500 = "analytics.api.errors.failed"
