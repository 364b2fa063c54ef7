"""The fault matrix: what may happen to the system, and the tests in which it does.

A row without a test stands here with the reason. `test_matrix.py` looks whether the tests exist.
"""

BROKER = "tests/faults/whole_system/test_broker.py"
DATABASE = "tests/faults/whole_system/test_database.py"
SCHEDULE = "tests/faults/whole_system/test_schedule.py"
WHOLE_API = "tests/faults/whole_system/test_api.py"
WORKER = "tests/faults/test_worker_faults.py"
WORKERS_BROKER = "tests/faults/test_broker_faults.py"
BEAT = "tests/faults/test_beat_faults.py"
PROCESS = "tests/faults/test_process_faults.py"
STREAM = "tests/faults/test_ingestion_faults.py"
REST = "tests/faults/test_rest_faults.py"
ARCHIVE = "tests/ingestion/test_archive.py"
API = "tests/analytics/test_schema_contract.py"
ACTING = "tests/analytics/test_reading_and_acting.py"

MATRIX: dict[str, tuple[str, ...]] = {
    "kill -9 of a worker inside a transaction": (
        f"{WORKER}::test_a_worker_killed_inside_its_transaction_leaves_nothing_and_another_does_it_once",
    ),
    "kill -9 of the pool child only": (
        f"{WORKER}::test_a_task_whose_pool_child_is_killed_is_run_again_by_the_same_worker",
    ),
    "kill -9 after COMMIT before the acknowledgement": (
        f"{WORKER}::test_a_worker_killed_after_commit_before_the_acknowledgement_changes_nothing",
    ),
    "kill -9 between fetch and unacked": (
        f"{WORKERS_BROKER}::test_a_message_lost_between_fetch_and_record_is_made_up_by_the_reconciler",
    ),
    "poison task": (f"{WORKER}::test_a_poison_task_is_parked_after_three_tries_and_replayed_once_it_is_cured",),
    "a message that takes its whole worker along": (
        f"{WORKER}::test_a_message_that_takes_its_whole_worker_along_is_parked_when_it_has_come_back_too_often",
    ),
    "SIGSTOP beyond the visibility timeout, then CONT": (
        f"{WORKER}::test_a_worker_frozen_beyond_the_visibility_timeout_finds_its_work_done_and_changes_nothing",
    ),
    "broker killed": (f"{BROKER}::test_a_broker_that_is_killed_and_comes_back_and_is_wiped",),
    "broker wiped": (
        f"{WORKERS_BROKER}::test_ten_thousand_queued_tasks_are_wiped_and_all_their_work_is_done_within_two_minutes",
        f"{BROKER}::test_a_broker_that_is_killed_and_comes_back_and_is_wiped",
    ),
    "broker frozen": (f"{BROKER}::test_a_broker_that_is_frozen_longer_than_anybody_waits",),
    "broker out of memory": (f"{BROKER}::test_a_broker_without_memory",),
    "black hole between worker and broker": (f"{BROKER}::test_a_black_hole_between_workers_and_broker",),
    "PostgreSQL restarted mid-COPY": (f"{DATABASE}::test_a_database_that_is_restarted_while_candles_are_copied",),
    "PostgreSQL killed with an unknown commit": (
        f"{DATABASE}::test_a_database_that_is_killed_when_a_commit_is_not_yet_known",
    ),
    "disk full": (f"{DATABASE}::test_a_disk_that_is_full",),
    "connections exhausted": (f"{DATABASE}::test_a_database_that_lets_nobody_in",),
    "deadlock": (f"{DATABASE}::test_a_deadlock_ends_the_transaction_that_decides",),
    "beat killed over midnight": (f"{SCHEDULE}::test_a_beat_that_is_dead_over_midnight",),
    "two beats": (
        f"{BEAT}::test_of_two_beats_one_sends_and_the_other_follows_when_it_is_killed",
        f"{SCHEDULE}::test_two_beats",
    ),
    "broker down at the tick": (
        f"{WORKERS_BROKER}::test_ticks_of_a_beat_without_a_broker_are_lost_and_the_next_ones_do_their_work",
        f"{SCHEDULE}::test_a_broker_that_is_down_at_the_tick_of_midnight",
    ),
    "worker clock +-2 h": (
        f"{WORKER}::test_a_wrong_clock_hands_a_running_task_out_twice_and_its_effect_is_there_once",
    ),
    "leap day, year end, DST": (
        "tests/learning/test_calendar.py::test_a_leap_day_has_its_night",
        "tests/learning/test_calendar.py::test_a_night_is_named_after_the_day_that_ended",
        "tests/learning/test_calendar.py::test_a_week_is_named_after_the_iso_week_that_its_sunday_ends",
        "tests/ingestion/test_partitions.py::test_candles_across_the_end_of_a_month_and_of_a_year_are_stored_and_read",
    ),
    "every message twice and shuffled": (f"{BROKER}::test_every_message_twice_and_in_another_order",),
    "websocket closed": (f"{STREAM}::test_a_websocket_that_the_exchange_closes",),
    "websocket silent for 3 minutes": (f"{STREAM}::test_connections_that_stay_open_and_say_nothing_for_three_minutes",),
    "websocket refused for 30 minutes": (f"{STREAM}::test_connections_refused_for_half_an_hour",),
    "serverShutdown": (f"{STREAM}::test_a_server_that_announces_its_shutdown_is_left_before_it_goes",),
    "24 h cut": (f"{STREAM}::test_the_end_of_24_hours_cuts_a_connection",),
    "malformed, truncated, binary, unknown, wrong-symbol frames": (
        f"{STREAM}::test_frames_that_are_of_no_use_are_kept_and_fetched",
        f"{STREAM}::test_an_event_that_nobody_knows_is_kept_once",
    ),
    "frame of 10 MB": (f"{STREAM}::test_a_frame_of_ten_megabytes_ends_only_its_connection",),
    "NaN, infinite, negative, empty, 1e400 prices": (f"{STREAM}::test_prices_that_are_none_are_kept_and_fetched",),
    "zero volume": (f"{STREAM}::test_minutes_without_a_trade_are_candles_and_no_gaps",),
    "candle twice": (f"{STREAM}::test_candles_that_come_three_times",),
    "candle late": (f"{STREAM}::test_candles_that_come_after_the_gap_check_has_fetched_them",),
    "candle restated": (f"{STREAM}::test_a_restated_candle_is_replaced_by_what_rest_says_and_stays_on_record",),
    "candle never closed": (f"{STREAM}::test_candles_that_are_never_closed",),
    "burst against a slow database": (
        f"{PROCESS}::test_a_database_that_cannot_write_for_a_while_meets_a_burst",
        "tests/ingestion/test_stream.py::test_memory_stays_flat_while_a_burst_meets_a_slow_database",
        "tests/ingestion/test_stream_writer.py::test_a_full_queue_makes_readers_wait_and_keeps_the_order",
    ),
    "REST 429, 418": (f"{REST}::test_during_a_ban_nothing_is_sent",),
    "REST 403": (f"{REST}::test_a_firewall_is_left_alone_for_a_while",),
    "REST 5xx, time-out": (f"{REST}::test_answers_that_are_none_are_asked_for_again",),
    "REST short page": (f"{REST}::test_pages_that_are_shorter_than_asked_for_prove_nothing",),
    "REST open last row": ("tests/faults/test_running_row.py::test_the_row_of_the_running_minute_is_not_kept",),
    "exchange maintenance": (f"{REST}::test_maintenance_is_explained_once_and_not_asked_for_for_ever",),
    "off-grid candles of 2018": (
        "tests/ingestion/test_gap_keeper.py::"
        "test_rows_off_the_grid_are_quarantined_once_and_explain_their_minutes_at_the_third_check",
    ),
    "delisted symbol": (f"{REST}::test_a_delisted_symbol_ends_with_its_last_candle",),
    "halted symbol": (f"{REST}::test_a_halt_of_one_symbol_holds_up_nobody",),
    "renamed symbol": (
        "tests/ingestion/test_listing.py::test_a_symbol_that_is_lost_is_delisted_at_the_close_of_its_last_stored_candle",
        "tests/ingestion/test_listing.py::test_a_new_symbol_is_wanted_from_its_first_candle_on",
    ),
    "bad archive checksum": (f"{ARCHIVE}::test_a_wrong_checksum_is_put_on_record_and_the_candles_come_from_elsewhere",),
    "microsecond stamps": (f"{ARCHIVE}::test_stamps_in_milliseconds_and_in_microseconds_are_told_apart",),
    "replaced archive": (
        f"{ARCHIVE}::test_a_file_that_was_replaced_fills_what_is_missing_and_changes_nothing_that_it_gave_before",
        "tests/ingestion/test_rereading.py::test_a_correction_replaces_the_candle_of_the_stream_and_leaves_a_revision",
        "tests/ingestion/test_exchange_archive.py::test_a_file_can_be_replaced_by_one_that_says_something_else",
    ),
    "API fuzz": (f"{API}::test_an_operating_token_acts_as_the_schema_says",),
    "API wrong types, huge page": (
        f"{ACTING}::test_nonsense_is_refused_with_what_to_do",
        "tests/analytics/test_decisions_and_health.py::test_a_list_asked_for_nonsense_says_so",
    ),
    "replayed idempotency key": (f"{ACTING}::test_four_processes_with_one_key_get_the_answer_of_one",),
    "PostgreSQL killed with an unknown commit of an act": (
        f"{WHOLE_API}::test_a_database_that_is_killed_when_the_commit_of_an_act_is_not_yet_known",
    ),
    "black hole between web and PostgreSQL": (
        f"{WHOLE_API}::test_a_black_hole_between_the_web_process_and_its_database",
    ),
    "kill -9 of the web process in mid-request": (
        f"{WHOLE_API}::test_a_web_process_that_is_killed_in_the_middle_of_requests",
    ),
    "broker down or frozen during an act": (f"{WHOLE_API}::test_a_broker_that_is_down_and_then_frozen_during_acts",),
    "learner killed at every statement": (
        "tests/learning/test_kills.py::test_a_job_killed_at_any_statement_leaves_nothing_and_is_made_up",
        f"{SCHEDULE}::test_a_learner_that_is_away_for_some_closes_and_then_killed_again_and_again",
    ),
    "rollback during a poll": (f"{SCHEDULE}::test_a_rollback_while_a_poll_is_at_work",),
    "two ingest processes": (f"{PROCESS}::test_a_killed_stream_is_followed_by_the_one_that_stands_by",),
    "rolling upgrade": (f"{SCHEDULE}::test_workers_of_before_an_upgrade_go_on_with_the_new_tables",),
    "restore from backup": (f"{DATABASE}::test_a_backup_that_is_restored_catches_up",),
}
