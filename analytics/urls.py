"""Everything people see: the API now, whose documentation is the first page."""

from django.urls import path
from django.views.generic import RedirectView

from analytics.api.urls import urlpatterns as api

urlpatterns = [path("", RedirectView.as_view(pattern_name="docs"), name="home"), *api]
