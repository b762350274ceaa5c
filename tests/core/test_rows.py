"""Every row of the study of workflows, state and command that this runtime was held against: its proof, or why there is none."""

import ast

import pytest
from fix_documents import ROOT

WALK, PROPERTIES, RUN = "core/test_walk.py", "core/test_walk_properties.py", "core/test_workflow_run.py"
BUILT, ONE, COMMAND = "core/test_workflow.py", "core/test_run.py", "core/test_command_workflow.py"

PROOFS = {
    "W1": (WALK, "test_w_01_without_a_start_it_starts_at_every_step_that_no_edge_leads_to"),
    "W2": (PROPERTIES, "test_w_01_and_w_02_up_to_a_step_and_then_from_it_is_the_same_as_the_whole"),
    "W3": (BUILT, "test_w_03_two_steps_of_one_name_are_refused"),
    "W4": (BUILT, "test_w_04_every_form_of_an_edge_is_one_thing_and_without_a_condition_it_is_always"),
    "W5": (BUILT, "test_w_05_a_condition_that_there_is_not_is_refused_when_it_is_written"),
    "W6": (WALK, "test_w_06_a_failure_that_an_edge_handles_is_handled_and_gets_the_input_and_the_error"),
    "W7": (WALK, "test_w_07_a_condition_that_fails_is_named_and_the_other_branches_go_on"),
    "W8": (PROPERTIES, "test_w_08_in_series_and_in_parallel_everything_is_the_same"),
    "W9": (PROPERTIES, "test_w_09_every_step_runs_once_if_an_edge_leads_to_it_and_all_of_them_are_decided"),
    "W10": (BUILT, "test_w_10_every_circle_is_found_whichever_way_its_edges_are_written"),
    "W11": (BUILT, "test_w_11_a_step_without_operations_hands_on_what_it_receives"),
    "W13": (WALK, "test_w_13_after_a_failure_that_nobody_handles_the_other_branches_go_on"),
    "W14": (RUN, "test_w_14_plugins_are_told_of_each_step_of_the_run_and_of_none_inside"),
    "W16": (COMMAND, "test_w_16_a_step_has_a_time_limit_that_ends_what_it_started"),
    "W17": ("core/test_operation.py", "test_retry_repeats_after_the_first_try"),
    "S1": (ONE, "test_a_new_run_starts_without_what_the_last_one_wrote_down"),
    "S2": (RUN, "test_s_02_and_s_03_a_step_starts_from_what_it_is_given_and_nothing_is_put_into_it"),
    "S3": (RUN, "test_s_02_and_s_03_a_step_starts_from_what_it_is_given_and_nothing_is_put_into_it"),
    "S4": (RUN, "test_s_04_a_step_has_its_credentials_and_no_others"),
    "S5": (RUN, "test_s_05_what_belongs_to_one_step_ends_with_it"),
    "S6": (RUN, "test_s_06_between_steps_there_is_only_json"),
    "S7": ("core/test_sealed.py", "test_s_07_a_change_in_place_is_seen_and_changes_nothing_that_was_sealed"),
    "S8": (RUN, "test_s_08_a_failed_step_leaves_what_it_had_received_and_nothing_half_done"),
    "S9": (WALK, "test_s_11_and_s_09_what_the_run_wrote_down_stands_once_also_after_diamonds"),
    "S10": (RUN, "test_s_10_a_state_over_the_limit_ends_its_step_and_what_follows_gets_its_input"),
    "S11": (WALK, "test_s_11_one_last_step_leaves_its_state_and_several_leave_theirs_by_name"),
    "S13": ("core/test_output.py", "test_standard_output_is_json_only_and_all_else_is_redacted"),
    "S15": (ONE, "test_rt_08_configuration_and_copied_secrets_are_in_no_state"),
    "S16": (RUN, "test_s_16_the_reply_of_any_step_stands_once_beside_the_inputs"),
    "S17": (RUN, "test_s_17_cursors_of_all_steps_are_kept_if_the_run_goes_well_and_else_only_checkpoints"),
    "C1": ("core/test_output.py", "test_the_result_is_written_to_the_file_for_every_outcome"),
    "C2": ("core/test_output.py", "test_standard_output_is_json_only_and_all_else_is_redacted"),
    "C3": ("core/test_command.py", "test_cl_17_the_input_may_come_from_standard_input"),
    "C4": ("core/test_command.py", "test_cl_02_an_input_that_is_not_there_is_exit_2_and_nothing_ran"),
    "C5": (COMMAND, "test_c5_what_each_step_hands_on_is_kept_for_its_owner_alone"),
    "C6": (COMMAND, "test_c6_a_run_goes_on_from_what_is_kept"),
    "W12": ("core/test_project_faults.py", "test_a_fault_is_found_with_its_line_and_it_alone"),
    "C8": ("core/test_command_credentials.py", "test_a_bad_credential_is_refused_before_an_operation_runs"),
    "C12": ("core/test_command.py", "test_cl_14_verbose_shows_where_it_comes_from"),
    "C7": (COMMAND, "test_c7_part_of_a_name_is_enough_if_it_is_the_only_one"),
}
REASONS = {
    "W15": "No measuring of memory while it runs.",
    "S12": "No state that is looked up later.",
    "S14": "No option for how much of a state is logged.",
    "C9": "No adaptor versions in a run.",
    "C10": "No installing while a run starts.",
    "C11": "No folder of adaptor sources.",
}
"""The rows that are not taken over, each with what the documents call it where they say why."""

ROWS = {f"{kind}{number}" for kind, last in (("W", 17), ("S", 17), ("C", 12)) for number in range(1, last + 1)}


def test_every_row_has_its_proof_or_the_documents_say_why_not():
    assert set(PROOFS) | set(REASONS) == ROWS
    assert not set(PROOFS) & set(REASONS)


@pytest.mark.parametrize("row", REASONS)
def test_the_documents_say_why_a_row_is_not_taken_over(row):
    page = (ROOT / "docs/workflows.md").read_text(encoding="utf-8")

    _, found, reason = page.partition(f"\n**{REASONS[row]}** ")
    assert found
    assert len(reason.partition("\n\n")[0]) > 40


@pytest.mark.parametrize("row", PROOFS)
def test_the_proof_of_a_row_is_there(row):
    file, name = PROOFS[row]
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
