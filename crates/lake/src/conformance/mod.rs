//! What every lake must do. Each case makes tables of its own and removes them, so all can run on one lake, in any order.
//!
//! A case fails by panicking with the fact that does not hold.
#![expect(clippy::unwrap_used, reason = "a case is a test: it stops where something is not as it should be")]
#![expect(clippy::missing_panics_doc, reason = "panicking is how a case fails")]

mod echoes;
mod grouping;
mod json;
mod opening;
mod reading;
mod rows;
mod searching;
mod sql;
mod tables;
mod upkeep;
mod versions;
mod writing;

use std::{future::Future, pin::Pin, sync::Arc};

pub use rows::{Row, WIDTH, batch, ids, rows_of, spec};

use crate::{Lake, Table};

type CaseFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A fact about lakes, and the function that shows it.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: for<'a> fn(&'a dyn Lake) -> CaseFuture<'a>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! cases {
    ($($module:ident :: { $($case:ident),+ $(,)? }),+ $(,)?) => {
        /// Every case.
        pub const ALL: &[Case] = &[
            $($(Case { name: stringify!($case), run: |lake| Box::pin($module::$case(lake)) }),+),+
        ];
    };
}

cases! {
    writing::{
        appended_rows_come_back,
        batches_appended_together_are_one_version,
        an_append_of_nothing_makes_no_version,
        concurrent_appends_share_commits,
        rows_of_another_shape_are_refused,
        a_replace_is_one_version,
        a_replace_of_nothing_is_an_append,
        a_replace_without_rows_deletes,
        a_replace_that_changes_nothing_makes_no_version,
        a_replace_of_everything_leaves_only_the_new_rows,
        concurrent_replaces_all_land,
        appends_and_replaces_mix,
        a_row_is_put_in_the_place_of_its_key,
        rows_are_replaced_as_they_were_read_or_not_at_all,
    },
    reading::{
        filters_find_what_they_say,
        a_filter_may_have_thousands_of_parts,
        a_condition_may_hold_many_ids,
        unknown_columns_are_named,
        wrong_types_are_refused,
        scans_order_and_page,
        pages_run_over_many_commits,
        scans_project,
        rows_are_taken_in_order,
    },
    json::{
        values_inside_json_are_found,
        senseless_json_conditions_are_refused,
    },
    grouping::{
        groups_are_reckoned,
        nothing_is_one_group_of_nothing,
        time_falls_into_buckets,
        percentiles_are_near,
        summaries_of_parts_add_up,
        groups_are_made_of_values_inside_json,
        rows_of_a_sample_stand_for_more,
        rows_that_come_first_are_told_from_others,
        the_first_groups_are_cut_off,
        groups_of_words_and_of_old_versions,
        senseless_groups_are_refused,
        groups_have_limits,
    },
    sql::{
        questions_in_sql_are_answered,
        a_view_lets_nothing_else_through,
        only_questions_are_let_in,
        questions_in_sql_have_limits,
    },
    searching::{
        words_are_found_at_once,
        words_have_no_syntax,
        words_are_found_under_a_filter,
        words_are_a_condition,
        replaced_words_are_not_found,
        nearest_rows_come_best_first,
        nearest_rows_obey_the_filter,
        vectors_without_direction_are_refused,
        labels_never_leak,
    },
    versions::{
        a_snapshot_does_not_move,
        an_old_version_can_be_read_and_not_written,
        a_version_of_another_transaction_is_not_this_version,
        tags_name_versions,
        tagged_versions_outlive_pruning,
        a_snapshot_in_use_outlives_pruning,
    },
    opening::{
        a_table_gets_the_columns_it_lacks,
        a_table_with_more_columns_is_opened_with_fewer,
        any_number_may_widen_a_table_at_once,
        other_differences_are_refused,
        columns_that_are_packed_are_read_as_they_were_written,
        only_texts_are_packed,
    },
    echoes::{
        an_echo_is_read_as_it_was_written,
        only_texts_without_an_index_are_echoes,
    },
    tables::{
        a_table_is_opened_again_with_its_rows,
        another_schema_is_refused,
        tables_are_listed_and_dropped,
        a_dropped_table_starts_empty,
        a_dropped_table_answers_no_more,
        stats_count,
        the_lake_answers,
    },
    upkeep::{
        upkeep_changes_no_answer,
        upkeep_merges_fragments,
        upkeep_and_writers_do_not_fail_each_other,
        a_tagged_version_stands_still_while_everything_else_moves,
        upkeep_with_nothing_to_do_does_nothing,
    },
}

/// A fresh table under a name no other case uses.
async fn table(lake: &dyn Lake, name: &str) -> Arc<dyn Table> {
    lake.drop_table(&name.parse().unwrap()).await.unwrap();
    lake.open(&name.parse().unwrap(), &spec()).await.unwrap()
}

async fn done(lake: &dyn Lake, table: &Arc<dyn Table>) {
    lake.drop_table(table.name()).await.unwrap();
}
