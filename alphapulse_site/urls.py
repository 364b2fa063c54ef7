"""Every app's pages. This is one of the two places that look upward (design: floors)."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
