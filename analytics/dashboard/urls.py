"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from analytics.dashboard.views import data, entrance, jobs, overview

app_name = "dashboard"
urlpatterns = [
    path("", overview.OverviewPage.as_view(), name="overview"),
    path("data/", data.DataPage.as_view(), name="data"),
    path("jobs/", jobs.JobsPage.as_view(), name="jobs"),
    path("login/", entrance.Entrance.as_view(), name="login"),
    path("logout/", LogoutView.as_view(next_page="dashboard:overview"), name="logout"),
]
