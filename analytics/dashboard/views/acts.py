"""What can be done on the pages: a page asks in sentences first, and only its form does it."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import NotSentError, retry_parked
from analytics import triggers
from analytics.dashboard.views.base import OperatorPage


@dataclass(frozen=True)
class Question:
    """What is about to happen, in sentences. `hidden`: fields that the form brings back; `back`: where "no" leads."""

    title: str
    sentences: list[str]
    button: str
    back: str
    is_dangerous: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The act was not done; the message says why."""


class ActPage(OperatorPage):
    """GET asks; POST acts, says what came of it and leads back. `extra_template` may show more under the question."""

    template_name = "dashboard/act.html"
    extra_template = ""

    @abstractmethod
    def question(self) -> Question:
        """What the page asks."""

    @abstractmethod
    def act(self) -> str:
        """Do it, and say what was done. Raises RefusedError."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, question=self.question(), extra_template=self.extra_template)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        back = self.question().back
        try:
            messages.success(request, self.act())
        except RefusedError as refused:
            messages.error(request, str(refused))
        return redirect(back)


class RetryPage(ActPage):
    """Send a parked task again."""

    active = "jobs"

    def question(self) -> Question:
        task = ParkedTask.objects.filter(pk=self.kwargs["number"]).first()
        if task is None:
            raise Http404("no parked task has this number")
        return Question(
            title=f"Send {task.name} again?",
            sentences=[
                f"It gave up with: {task.error}",
                f"Its arguments were {task.args or 'none'}. It is sent once more, under a number of its own; every task"
                " may run twice. Cure the cause first, or it will be parked again.",
            ],
            button="Send it again",
            back=reverse("dashboard:jobs"),
        )

    def act(self) -> str:
        try:
            sent = retry_parked(parked_id=self.kwargs["number"], by=self.request.user.get_username())
        except NotSentError as error:
            raise RefusedError(str(error)) from error
        if not sent:
            raise RefusedError("Somebody has sent it again already; nothing was done.")
        return "The task was sent again."


class RunPage(ActPage):
    """Run a nightly or weekly job for the last period that has ended."""

    active = "jobs"

    def question(self) -> Question:
        job = self.kwargs["job"]
        return Question(
            title=f"Run {job.replace('_', ' ')} now?",
            sentences=[
                "It runs for the last period that has ended. A period is learned once: done already, nothing happens."
            ],
            button="Run it",
            back=reverse("dashboard:jobs"),
        )

    def act(self) -> str:
        try:
            run = triggers.request_run(job=self.kwargs["job"], period="")
        except triggers.PeriodError as error:
            raise RefusedError(str(error)) from error
        if run.is_done:
            return f"The period {run.period} was done already; nothing happens."
        triggers.wake(job=run.job, period=run.period)
        return f"The period {run.period} is queued."
