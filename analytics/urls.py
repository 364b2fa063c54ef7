"""Everything people see: the API now."""

from analytics.api.urls import urlpatterns as api

urlpatterns = [*api]
