//! What every [`Bucket`](brigade_storage::Bucket) promises, as a suite that any store can be held to.
//!
//! Each promise is a function of its own that takes a [`Fixture`]: the store under test and two buckets of it. It
//! works below the fixture's prefix, so promises can share a bucket. [`all`] keeps them one after the other;
//! [`promises`] hands their names to a macro, to make each a test:
//!
//! ```
//! use std::sync::Arc;
//! use brigade_contract::Fixture;
//! use brigade_sim::Sim;
//!
//! fn fixture() -> Fixture {
//!     let sim = Sim::new().with_bucket("bucket").with_bucket("other");
//!     Fixture::new(Arc::new(sim), "bucket", "other")
//! }
//!
//! macro_rules! tests {
//!     ($($subject:ident { $($promise:ident)* })*) => { $($(
//!         #[tokio::test]
//!         async fn $promise() {
//!             brigade_contract::$promise(&fixture()).await.unwrap();
//!         }
//!     )*)* };
//! }
//! brigade_contract::promises!(tests);
//! # fn main() {}
//! ```

mod check;
mod fixture;
mod rests;
mod row;

mod copying;
mod creating;
mod deleting;
mod holding;
mod listing;
mod naming;
mod reading;
mod renaming;
mod storing;
mod updating;
mod versioning;

pub use check::{Broken, Outcome};
pub use fixture::{Capabilities, Fixture, Stored};
pub use rests::rests_on;
pub use row::{Finding, Row};

/// Calls the macro named by its argument with all promises of the contract, by subject:
/// `listing { a_promise another … } creating { … } …`.
#[macro_export]
macro_rules! promises {
    ($then:ident) => {
        $then! {
            listing {
                a_prefix_without_objects_is_one_empty_page
                listing_is_in_byte_order
                listing_keeps_to_its_prefix
                pages_join_to_the_whole_listing
                a_listing_begins_at_its_start
                an_object_inserted_between_pages_hides_no_other
                objects_removed_between_pages_hide_no_other
                a_listing_shows_what_a_look_shows
                a_missing_bucket_is_told_from_a_missing_object
            }
            creating {
                a_created_object_is_what_was_given
                creating_over_an_object_changes_nothing
                creating_replaces_exactly_the_named_generation
                creating_over_a_stale_generation_changes_nothing
                creating_over_a_generation_that_is_gone_creates_nothing
                of_two_creators_one_wins
                a_name_used_again_gets_another_generation
                an_empty_object_is_an_object
                a_large_object_is_kept_whole
            }
            updating {
                an_update_merges_and_removes_keys
                an_update_keeps_all_but_metadata
                an_update_of_a_stale_generation_changes_nothing
                an_update_of_a_stale_metageneration_changes_nothing
                an_update_takes_any_key
                an_update_of_nothing_is_fenced_and_changes_nothing
                metadata_over_8_kib_is_refused
                updating_what_is_gone_is_not_found
            }
            renaming {
                a_rename_keeps_all_under_a_new_generation
                a_rename_frees_the_old_name
                renaming_a_stale_generation_changes_nothing
                renaming_a_stale_metageneration_changes_nothing
                renaming_onto_a_taken_name_changes_nothing
                renaming_onto_itself_changes_nothing
                renaming_what_is_gone_is_not_found
                of_two_renames_one_wins
            }
            copying {
                a_copy_keeps_all_and_leaves_the_source
                a_copy_merges_metadata_and_keeps_the_content_type
                a_copy_within_the_bucket_is_a_copy
                copying_a_stale_generation_copies_nothing
                copying_onto_a_taken_name_changes_nothing
                copying_what_is_gone_is_not_found
                copying_into_a_missing_bucket_needs_a_fix
            }
            deleting {
                deleting_removes_exactly_the_named_generation
                deleting_a_stale_generation_changes_nothing
                deleting_what_is_gone_is_not_found
                of_two_deletions_one_wins
            }
            reading {
                reading_yields_the_whole_content
                reading_from_an_offset_yields_the_rest
                reading_at_the_end_yields_nothing
                reading_beyond_the_end_is_refused
                reading_a_replaced_generation_is_refused
                reading_what_is_gone_is_not_found
            }
            holding {
                a_held_object_is_seen_and_refused_as_held
                a_stale_condition_on_a_held_object_is_no_hold
            }
            storing {
                how_an_object_is_stored_is_listed
                how_an_object_is_stored_survives_an_update
                how_an_object_is_stored_survives_a_rename
                how_an_object_is_stored_survives_a_copy
            }
            versioning {
                a_replaced_version_is_kept
                a_deleted_version_is_kept
                a_renamed_version_is_kept
                a_version_moved_in_two_steps_is_kept
                a_version_that_is_not_live_is_left_alone
            }
            naming {
                odd_names_are_kept_byte_for_byte
                names_alike_to_the_eye_are_different
                the_longest_names_are_legal
                names_too_long_are_refused
                names_with_line_breaks_are_refused
                names_that_are_no_names_are_refused
            }
        }
    };
}

macro_rules! suite {
    ($($module:ident { $($promise:ident)* })*) => {
        $(pub use $module::{$($promise),*};)*

        /// Holds the store to every promise, each below a prefix of its own, and hands out each finding. A promise that
        /// meets no clear answer is tried once more.
        pub async fn run(fixture: &Fixture, mut found: impl FnMut(Row)) {
            $($(
                let (subject, promise) = (stringify!($module), stringify!($promise));
                let finding = if let Some(why) = fixture.why_not(subject, promise) {
                    Finding::NotTried(why)
                } else {
                    let mut outcome = Box::pin($promise(&fixture.below(promise))).await;
                    if outcome.as_ref().is_err_and(Broken::is_unclear) {
                        let again = fixture.below(concat!(stringify!($promise), "-again"));
                        outcome = Box::pin($promise(&again)).await;
                    }
                    outcome.map_or_else(Finding::Broken, |()| Finding::Kept)
                };
                found(Row { subject, promise, finding });
            )*)*
        }

        /// The same, and returns how many there are.
        ///
        /// # Errors
        /// The promises that were broken, by name.
        pub async fn all(fixture: &Fixture) -> Result<usize, Vec<(&'static str, Broken)>> {
            let mut broken = Vec::new();
            let mut kept = 0;
            run(fixture, |row| match row.finding {
                Finding::Kept | Finding::NotTried(_) => kept += 1,
                Finding::Broken(how) => broken.push((row.promise, how)),
            })
            .await;
            if broken.is_empty() { Ok(kept) } else { Err(broken) }
        }
    };
}

promises!(suite);
