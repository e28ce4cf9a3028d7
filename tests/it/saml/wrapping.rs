//! Signature wrapping at the assertion consumer: what was signed is still there, and what would be
//! read is something else.

use super::ambush::Ambush;
use crate::both;
use crate::support::attack::{Attack, Target, wrapping};
use crate::support::world::On;

both!(a_signed_element_counts_only_where_it_was_signed, permutations);
async fn permutations(on: On) {
    Ambush::on(on).await.withstands(wrapping::permutations).await;
}

/// Attacks that need a signed Assertion.
fn on_assertions(attacks: fn(&Target<'_>) -> Vec<Attack>) -> impl Fn(&Target<'_>) -> Vec<Attack> {
    move |target| match target.signed {
        "Assertion" => attacks(target),
        _ => Vec::new(),
    }
}

both!(there_is_one_assertion_and_it_is_the_signed_one, siblings);
async fn siblings(on: On) {
    Ambush::on(on).await.withstands(on_assertions(wrapping::siblings)).await;
}

both!(what_is_only_called_an_assertion_keeps_everybody_out, namesakes);
async fn namesakes(on: On) {
    Ambush::on(on).await.withstands(on_assertions(wrapping::namesakes)).await;
}
