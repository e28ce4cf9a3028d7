//! A signature has one shape. Whatever else is in it keeps everybody out, even if the IdP signed it.

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::{signature, transform};
use crate::support::world::On;

both!(of_what_there_must_be_one_there_are_not_two, repetitions);
async fn repetitions(on: On) {
    Ambush::on(on).await.withstands(signature::repetitions).await;
}

both!(a_signed_info_of_another_shape_is_refused_though_it_holds, shapes);
async fn shapes(on: On) {
    Ambush::on(on).await.withstands(signature::shapes).await;
}

both!(an_id_stands_once_in_any_spelling, duplicate_ids);
async fn duplicate_ids(on: On) {
    let ambush = Ambush::on(on).await;
    ambush.withstands(signature::duplicate_ids).await;

    // Under an ID of its own the same thing is in nobody's way, and nobody reads it.
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let message = ambush.signed(&waiting, base);
        let target = ambush.targets(base, &message).remove(0);
        let message = signature::decoy(&target, "ID", "_own");
        assert!(message.as_str().contains(">eve<") || target.signed == "Response");
        ambush.signs_in_the_honest(&mut waiting, message).await;
    }
}

both!(a_value_that_is_no_signature_is_never_taken_for_one, values);
async fn values(on: On) {
    Ambush::on(on).await.withstands(signature::values).await;
}

both!(a_signature_of_nothing_is_none, voids);
async fn voids(on: On) {
    Ambush::on(on).await.withstands(signature::voids).await;
}

both!(a_reference_leads_nowhere_but_to_its_parent, references);
async fn references(on: On) {
    Ambush::on(on).await.withstands(transform::references).await;
}

both!(no_transform_but_the_two_is_carried_out, transforms);
async fn transforms(on: On) {
    Ambush::on(on).await.withstands(transform::transforms).await;
}

both!(algorithms_are_those_of_the_list, algorithms);
async fn algorithms(on: On) {
    Ambush::on(on).await.withstands(transform::algorithms).await;
}
