"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from analytics.dashboard.views import data, decisions, entrance, jobs, overview, rejections

app_name = "dashboard"
urlpatterns = [
    path("", overview.OverviewPage.as_view(), name="overview"),
    path("signals/", decisions.SignalsPage.as_view(), name="signals"),
    path("signals/<int:number>/", decisions.SignalPage.as_view(), name="signal"),
    path("shadows/", decisions.ShadowsPage.as_view(), name="shadows"),
    path("shadows/<int:number>/", decisions.ShadowPage.as_view(), name="shadow"),
    path("rejections/", rejections.RejectionsPage.as_view(), name="rejections"),
    path("why/", rejections.WhyPage.as_view(), name="why"),
    path("data/", data.DataPage.as_view(), name="data"),
    path("jobs/", jobs.JobsPage.as_view(), name="jobs"),
    path("login/", entrance.Entrance.as_view(), name="login"),
    path("logout/", LogoutView.as_view(next_page="dashboard:overview"), name="logout"),
]
