"""The jobs of a benchmark run in processes of their own, one thread each."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context

from learning.planted.trials import Found, Job, done

# A job is one thread's work; libraries that start one for every core would only get in each other's way.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def results_of(jobs: Sequence[Job], processes: int) -> Iterator[Found]:
    """What each job found, as they are finished; with one process here and now, in order."""
    if processes == 1:
        yield from map(done, jobs)
        return
    with _one_thread(), ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(done, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # also when the reader goes away: what has not begun is not worth waiting for
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The environment that the processes started within inherit."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
