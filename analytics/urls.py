"""Everything people see: the pages and the API."""

from django.urls import include, path

from analytics.api.urls import urlpatterns as api

urlpatterns = [*api, path("", include("analytics.dashboard.urls"))]
