//! Documents that two readers could understand in two ways. They are refused before anybody looks
//! at a signature, and nothing that they name is fetched.

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::document;
use crate::support::world::On;

both!(no_document_type_is_read, document_types);
async fn document_types(on: On) {
    Ambush::on(on).await.withstands_as_documents(document::document_types).await;
}

both!(no_entity_is_expanded, entities);
async fn entities(on: On) {
    Ambush::on(on).await.withstands_as_documents(document::entities).await;
}

both!(a_message_is_utf8_and_says_nothing_else, encodings);
async fn encodings(on: On) {
    Ambush::on(on).await.withstands_as_documents(document::encodings).await;
}

both!(a_message_is_one_root_and_nothing_else, surroundings);
async fn surroundings(on: On) {
    let ambush = Ambush::on(on).await;
    ambush.withstands_as_documents(document::surroundings).await;

    // Comments, white space and the plain declaration say nothing, and change nothing.
    for declaration in
        ["", "<?xml version=\"1.0\"?>", "<?xml version='1.0' encoding='utf-8' standalone='no'?>\n"]
    {
        let mut waiting = ambush.wait().await;
        let message = ambush.signed(&waiting, Base::Both);
        let message = format!("{declaration}<!-- <a> -->\n{message}\n<!-- -->\n");
        ambush.signs_in_the_honest(&mut waiting, message).await;
    }
}

both!(names_and_namespaces_have_one_meaning, namespaces);
async fn namespaces(on: On) {
    Ambush::on(on).await.withstands_as_documents(document::namespaces).await;
}
