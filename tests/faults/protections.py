"""What was taken away from the system to see each test of the matrix fail, and how it then failed. Each was seen once.

"In turn": one after the other, each in a run of its own. Else all of it together: one of two protections is enough.
A test that passes whatever is broken proves nothing; who changes a test or what it protects should break that again.
"""

from tests.faults.matrix import (
    ACTING,
    API,
    ARCHIVE,
    BEAT,
    BROKER,
    DATABASE,
    PROCESS,
    REST,
    SCHEDULE,
    STREAM,
    WHOLE_API,
    WORKER,
    WORKERS_BROKER,
)

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
    f"{STREAM}::test_a_websocket_that_the_exchange_closes": ("the next connection", "nothing came any more"),
    f"{STREAM}::test_the_end_of_24_hours_cuts_a_connection": ("the next connection", "nothing came any more"),
    f"{STREAM}::test_connections_that_stay_open_and_say_nothing_for_three_minutes": (
        "the end of a connection's patience",
        "nothing came any more",
    ),
    f"{STREAM}::test_connections_refused_for_half_an_hour": ("the next try to connect", "nothing came any more"),
    f"{STREAM}::test_a_server_that_announces_its_shutdown_is_left_before_it_goes": (
        "the ear for the announcement",
        "it was left when it went, and not before",
    ),
    f"{STREAM}::test_frames_that_are_of_no_use_are_kept_and_fetched": (
        "in turn: the error for no JSON, the look at symbol and grid, the quarantine, the early gap check",
        "nothing or the wrong thing in quarantine; minutes that were not fetched in time",
    ),
    f"{STREAM}::test_an_event_that_nobody_knows_is_kept_once": (
        "in turn: the error for an unknown kind, the digest that tells repeats",
        "none or several in quarantine",
    ),
    f"{STREAM}::test_a_frame_of_ten_megabytes_ends_only_its_connection": (
        "in turn: the largest size of a message, the line that a lost connection breaks alone",
        "the connection went on; all connections were made anew",
    ),
    f"{STREAM}::test_prices_that_are_none_are_kept_and_fetched": (
        "in turn: the look at each figure, that and the constraints of the table",
        "refused by PostgreSQL and not by us; impossible prices among the candles",
    ),
    f"{STREAM}::test_minutes_without_a_trade_are_candles_and_no_gaps": (
        "the permission of a volume of zero",
        "gaps where there are candles",
    ),
    f"{STREAM}::test_candles_that_come_three_times": (
        "the one candle a minute, in the batch, at the insert and by the primary key",
        "the same minute several times",
    ),
    f"{STREAM}::test_candles_that_come_after_the_gap_check_has_fetched_them": (
        "the insert that leaves what is there",
        "a stream that could not write",
    ),
    f"{STREAM}::test_a_restated_candle_is_replaced_by_what_rest_says_and_stays_on_record": (
        "in turn: the greater weight of REST's word, the record of what stood there",
        "the old candle; no revision",
    ),
    f"{STREAM}::test_candles_that_are_never_closed": (
        "the early gap check for minutes that did not close",
        "minutes that were not fetched in time",
    ),
    f"{REST}::test_during_a_ban_nothing_is_sent": ("the pause that is kept", "requests during the ban"),
    f"{REST}::test_a_firewall_is_left_alone_for_a_while": (
        "in turn: 403 among what asks for quiet, the pause that is kept",
        "requests to the firewall",
    ),
    f"{REST}::test_maintenance_is_explained_once_and_not_asked_for_for_ever": (
        "in turn: the verdict of an outage, the week until the next question",
        "gaps for ever; questions for ever",
    ),
    f"{REST}::test_a_halt_of_one_symbol_holds_up_nobody": (
        "the word of a halted symbol that no candle is to come",
        "gaps that were not explained while it was halted",
    ),
    f"{REST}::test_a_delisted_symbol_ends_with_its_last_candle": ("the delisting", "a symbol that never ended"),
    "tests/faults/test_running_row.py::test_the_row_of_the_running_minute_is_not_kept": (
        "the end of a page at the running minute, and that of a backfill",
        "a candle that was not final",
    ),
    "tests/ingestion/test_gap_keeper.py::"
    "test_rows_off_the_grid_are_quarantined_once_and_explain_their_minutes_at_the_third_check": (
        "in turn: the look at the grid, the third check, the digest that tells repeats",
        "a row that the table refused; an explanation at once; three in quarantine",
    ),
    "tests/ingestion/test_listing.py::test_a_symbol_that_is_lost_is_delisted_at_the_close_of_its_last_stored_candle": (
        "the last stored candle as its end",
        "an end later than that",
    ),
    "tests/ingestion/test_listing.py::test_a_new_symbol_is_wanted_from_its_first_candle_on": (
        "the first candle as its beginning",
        "minutes wanted from before it was listed",
    ),
    "tests/ingestion/test_partitions.py::test_candles_across_the_end_of_a_month_and_of_a_year_are_stored_and_read": (
        "the partition of the last candle's month",
        "no partition for the row",
    ),
    "tests/learning/test_calendar.py::test_a_leap_day_has_its_night": ("the leap day", "a night missing"),
    "tests/learning/test_calendar.py::test_a_night_is_named_after_the_day_that_ended": (
        "the day before the cut-off",
        "the name of the day after",
    ),
    "tests/learning/test_calendar.py::test_a_week_is_named_after_the_iso_week_that_its_sunday_ends": (
        "the year of the ISO week",
        "2021-W53",
    ),
    "tests/learning/test_kills.py::test_a_job_killed_at_any_statement_leaves_nothing_and_is_made_up": (
        "in turn: the transaction of a job, the same cut in two",
        "half a job after a kill",
    ),
    f"{ARCHIVE}::test_a_wrong_checksum_is_put_on_record_and_the_candles_come_from_elsewhere": (
        "the comparison with the checksum",
        "candles of the broken file",
    ),
    f"{ARCHIVE}::test_stamps_in_milliseconds_and_in_microseconds_are_told_apart": (
        "the division of large stamps",
        "no candle at its minute",
    ),
    f"{API}::test_an_operating_token_acts_as_the_schema_says": (
        "in turn: the check of a body, the refusal of what the state forbids, that of an unsound key",
        "answers of 500; an act of 201 for a request that the schema forbids",
    ),
    f"{ACTING}::test_nonsense_is_refused_with_what_to_do": (
        "in turn: the check of a query, the refusal of unknown parameters",
        "an error of ours; answers of 200",
    ),
    f"{ACTING}::test_four_processes_with_one_key_get_the_answer_of_one": (
        "the look for an answer under the key",
        "four acts",
    ),
    f"{WORKER}::test_a_worker_killed_inside_its_transaction_leaves_nothing_and_another_does_it_once": (
        "in turn: the transaction of a job, the late acknowledgement",
        "half a job after the kill; a job that nobody did",
    ),
    f"{WORKER}::test_a_worker_killed_after_commit_before_the_acknowledgement_changes_nothing": (
        "the look whether a job is done",
        "its effect twice",
    ),
    f"{WORKER}::test_a_task_whose_pool_child_is_killed_is_run_again_by_the_same_worker": (
        "the retry of what lost its process",
        "a job that nobody did",
    ),
    f"{WORKER}::test_a_poison_task_is_parked_after_three_tries_and_replayed_once_it_is_cured": (
        "the number of tries",
        "it was tried for ever and never parked",
    ),
    f"{WORKER}::test_a_worker_frozen_beyond_the_visibility_timeout_finds_its_work_done_and_changes_nothing": (
        "the second reading of rows once they are locked",
        "an outcome written twice",
    ),
    f"{WORKER}::test_a_wrong_clock_hands_a_running_task_out_twice_and_its_effect_is_there_once": (
        "the look whether a job is done",
        "its effect twice",
    ),
    f"{WORKERS_BROKER}::test_a_message_lost_between_fetch_and_record_is_made_up_by_the_reconciler": (
        "the reconciler of lost ticks",
        "a shadow without an outcome",
    ),
    f"{WORKERS_BROKER}::test_ticks_of_a_beat_without_a_broker_are_lost_and_the_next_ones_do_their_work": (
        "the next tick after one that could not be sent",
        "the beat ended",
    ),
    f"{BEAT}::test_of_two_beats_one_sends_and_the_other_follows_when_it_is_killed": (
        "in turn: the lease, the second try for it",
        "both sent; nobody did after the first was killed",
    ),
    f"{PROCESS}::test_a_killed_stream_is_followed_by_the_one_that_stands_by": (
        "the second try for the lease",
        "nothing came any more",
    ),
    f"{REST}::test_answers_that_are_none_are_asked_for_again": (
        "later checks' question for a hole once seen; at a time-out also the check's own second try",
        "minutes that were not fetched in time",
    ),
    f"{REST}::test_pages_that_are_shorter_than_asked_for_prove_nothing": (
        "the silence about what comes after the last row, and the two more questions before a hole is believed",
        "minutes that were traded and not stored",
    ),
    "tests/ingestion/test_rereading.py::test_a_correction_replaces_the_candle_of_the_stream_and_leaves_a_revision": (
        "the greater weight of REST's word",
        "nothing was corrected",
    ),
    f"{ARCHIVE}::test_a_file_that_was_replaced_fills_what_is_missing_and_changes_nothing_that_it_gave_before": (
        "the minutes of the hole alone, and the first word of two of one source",
        "other figures in minutes that were stored before",
    ),
    "tests/ingestion/test_exchange_archive.py::test_a_file_can_be_replaced_by_one_that_says_something_else": (
        "in turn: the other file, its checksum (both of the local exchange, whose fault this is)",
        "the same file; a checksum of another",
    ),
    "tests/ingestion/test_stream_writer.py::test_a_full_queue_makes_readers_wait_and_keeps_the_order": (
        "the bound of the queue",
        "9,100 waiting where 1,000 may",
    ),
    "tests/ingestion/test_stream.py::test_memory_stays_flat_while_a_burst_meets_a_slow_database": (
        "the bound of the queue",
        "the exchange could send all that it had",
    ),
    f"{PROCESS}::test_a_database_that_cannot_write_for_a_while_meets_a_burst": (
        "the batch that is kept until it is written, and every gap check",
        "minutes that were neither written nor fetched; nothing failed where the gap checks alone were gone",
    ),
    "tests/analytics/test_decisions_and_health.py::test_a_list_asked_for_nonsense_says_so": (
        "the largest size of a page",
        "an answer of 200",
    ),
}
