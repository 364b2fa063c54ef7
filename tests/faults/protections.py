"""What was taken away from the system to see each test of the matrix fail, and how it then failed. Each was seen once.

A test that passes whatever is broken proves nothing; who changes a test or what it protects should break that again.
"""

from tests.faults.matrix import BROKER, DATABASE, SCHEDULE, WHOLE_API, WORKER, WORKERS_BROKER

PROTECTIONS: dict[str, tuple[str, str]] = {
    f"{BROKER}::test_a_broker_that_is_killed_and_comes_back_and_is_wiped": (
        "the look for an open close each minute",
        "a close without decisions for ever, and none after it",
    ),
    f"{BROKER}::test_a_broker_without_memory": (
        "the look for an open close each minute",
        "the last closes were never opened",
    ),
    f"{BROKER}::test_a_broker_that_is_frozen_longer_than_anybody_waits": (
        "the end of a connection on which an acknowledgement failed",
        "a worker that fetched nothing any more",
    ),
    f"{BROKER}::test_a_black_hole_between_workers_and_broker": (
        "the end of a connection on which an acknowledgement failed",
        "a worker that fetched nothing any more",
    ),
    f"{BROKER}::test_every_message_twice_and_in_another_order": (
        "the claim of a chunk before its scans are written",
        "closes with a chunk looked at twice",
    ),
    f"{DATABASE}::test_a_database_that_is_restarted_while_candles_are_copied": (
        "the batch that is kept until it is written, and the gap check",
        "minutes that are neither a candle nor explained",
    ),
    f"{DATABASE}::test_a_database_that_is_killed_when_a_commit_is_not_yet_known": (
        "the look whether a close is decided, where a lost connection is met by deciding it again",
        "the closes were decided twice, the second time without scans",
    ),
    f"{DATABASE}::test_a_disk_that_is_full": (
        "what tells a lost database from a poison task",
        "a look at a chunk was parked",
    ),
    f"{DATABASE}::test_a_database_that_lets_nobody_in": (
        "what tells a lost database from a poison task",
        "canaries were parked",
    ),
    f"{DATABASE}::test_a_deadlock_ends_the_transaction_that_decides": (
        "what tells a lost database from a poison task",
        "a decision was parked",
    ),
    f"{DATABASE}::test_a_backup_that_is_restored_catches_up": (
        "the gap check",
        "minutes that are neither a candle nor explained",
    ),
    f"{SCHEDULE}::test_a_beat_that_is_dead_over_midnight": (
        "nights found by what is not done instead of by the hour",
        "a night that was never learned, and closes that waited for it",
    ),
    f"{SCHEDULE}::test_a_broker_that_is_down_at_the_tick_of_midnight": (
        "nights found by what is not done instead of by the hour",
        "a night that was never learned, and closes that waited for it",
    ),
    f"{SCHEDULE}::test_two_beats": ("the lease", "the second beat sent ticks too"),
    f"{SCHEDULE}::test_a_learner_that_is_away_for_some_closes_and_then_killed_again_and_again": (
        "the ledger told close by close",
        "outcomes in another order, with the market time of a later close",
    ),
    f"{SCHEDULE}::test_workers_of_before_an_upgrade_go_on_with_the_new_tables": (
        "the names of the columns that are copied (the number of a table's columns had to be as it was known)",
        "no scan could be written any more",
    ),
    f"{SCHEDULE}::test_a_rollback_while_a_poll_is_at_work": (
        "the lock on the ledger while a version is made by hand",
        "a version of which no event tells, found by the audit",
    ),
    f"{WHOLE_API}::test_a_database_that_is_killed_when_the_commit_of_an_act_is_not_yet_known": (
        "the transaction of the key and the act",
        "an act done whose answer nobody had kept",
    ),
    f"{WHOLE_API}::test_a_black_hole_between_the_web_process_and_its_database": (
        "the transaction of the key and the act",
        "an act done whose answer nobody had kept",
    ),
    f"{WHOLE_API}::test_a_web_process_that_is_killed_in_the_middle_of_requests": (
        "the transaction of the key and the act",
        "an act done whose answer nobody had kept",
    ),
    f"{WHOLE_API}::test_a_broker_that_is_down_and_then_frozen_during_acts": (
        "the transactions of the key and the act, and of the mark and the message",
        "a task marked as sent again that was not",
    ),
    f"{WORKERS_BROKER}::test_ten_thousand_queued_tasks_are_wiped_and_all_their_work_is_done_within_two_minutes": (
        "the reconciler of lost ticks, and the look for an open close each minute",
        "shadows without an outcome; without the first alone a close that is due follows them too",
    ),
    f"{WORKER}::test_a_message_that_takes_its_whole_worker_along_is_parked_when_it_has_come_back_too_often": (
        "the limit of redeliveries",
        "the fifth worker died as well",
    ),
}
