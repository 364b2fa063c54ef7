"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from analytics.dashboard.views import (
    acts,
    by_hand,
    data,
    decisions,
    entrance,
    jobs,
    learning,
    overview,
    rejections,
    reports,
    versions,
)
from analytics.triggers import TASKS


class LearningJob(StringConverter):
    """A job that can be asked for."""

    regex = "|".join(TASKS)


register_converter(LearningJob, "learning_job")
app_name = "dashboard"
urlpatterns = [
    path("", overview.OverviewPage.as_view(), name="overview"),
    path("signals/", decisions.SignalsPage.as_view(), name="signals"),
    path("signals/<int:number>/", decisions.SignalPage.as_view(), name="signal"),
    path("shadows/", decisions.ShadowsPage.as_view(), name="shadows"),
    path("shadows/<int:number>/", decisions.ShadowPage.as_view(), name="shadow"),
    path("rejections/", rejections.RejectionsPage.as_view(), name="rejections"),
    path("why/", rejections.WhyPage.as_view(), name="why"),
    path("learning/", learning.WhatWasLearned.as_view(), name="learning"),
    path("learning/versions/", versions.VersionsPage.as_view(), name="versions"),
    path("learning/versions/<str:state_type>/<int:version>/", versions.OneVersionPage.as_view(), name="version"),
    path(
        "learning/versions/<str:state_type>/<int:version>/rollback/",
        by_hand.ByHandPage.as_view(kind="rollback"),
        name="rollback",
    ),
    path("learning/versions/head_weights/<int:version>/pin/", by_hand.ByHandPage.as_view(kind="pin"), name="pin"),
    path("learning/freeze/", by_hand.ByHandPage.as_view(kind="freeze"), name="freeze"),
    path("learning/release/", by_hand.ByHandPage.as_view(kind="release"), name="release"),
    path("data/", data.DataPage.as_view(), name="data"),
    path("reports/", reports.ReportsPage.as_view(), name="reports"),
    path("reports/<str:kind>/<str:period>/", reports.ReportPage.as_view(), name="report"),
    path("jobs/", jobs.JobsPage.as_view(), name="jobs"),
    path("jobs/parked/<int:number>/retry/", acts.RetryPage.as_view(), name="retry"),
    path("jobs/<learning_job:job>/run/", acts.RunPage.as_view(), name="run"),
    path("login/", entrance.Entrance.as_view(), name="login"),
    path("logout/", LogoutView.as_view(next_page="dashboard:overview"), name="logout"),
]
