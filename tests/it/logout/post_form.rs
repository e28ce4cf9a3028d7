//! Answers by the POST binding: what is in the form, and how it is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;

use super::redirect_query::Scene;
use super::{home, idp_leg, leads_to};
use crate::both;
use crate::support::browser::Page;
use crate::support::raw_query::deflated;
use crate::support::world::On;

/// What a form carries: names and values, in this order.
type Fields = Vec<(&'static str, String)>;

async fn post(scene: &mut Scene, fields: &Fields) -> Page {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let url = scene.world.url(paths::SAML_LOGOUT);
    let from = scene.world.idp_url.clone();
    scene.ada.browser.post(&url, &fields, Some(&from)).await
}

/// A right answer.
fn good(scene: &Scene) -> Fields {
    let response = scene.success();
    let signed = scene.keys.good().envelope(&response.to_xml().unwrap(), &response.id);
    form(scene, signed.as_bytes())
}

fn form(scene: &Scene, xml: &[u8]) -> Fields {
    vec![("SAMLResponse", STANDARD.encode(xml)), ("RelayState", scene.asked.relay_state.clone())]
}

async fn ends(scene: Scene) {
    scene
        .right_answer_counts(async |scene| {
            let fields = good(scene);
            post(scene, &fields).await
        })
        .await;
}

both!(a_form_signed_by_any_other_algorithm_proves_nothing, algorithms);
async fn algorithms(on: On) {
    let mut scene = Scene::begin(on).await;
    for (what, recipe) in scene.keys.refused().into_iter().chain(scene.keys.refused_in_xml()) {
        let response = scene.success();
        let signed = recipe.envelope(&response.to_xml().unwrap(), &response.id);
        let fields = form(&scene, signed.as_bytes());
        let page = post(&mut scene, &fields).await;
        scene.is_not_believed(&page, &what).await;
    }
    for (what, recipe) in scene.keys.accepted() {
        let response = scene.success();
        let signed = recipe.envelope(&response.to_xml().unwrap(), &response.id);
        let fields = form(&scene, signed.as_bytes());
        let page = post(&mut scene, &fields).await;
        assert_eq!(leads_to(&page), home(&scene.app), "{what}");
        assert_eq!(idp_leg(&scene.world).await, "confirmed (Success, signed)", "{what}");
        scene.again().await;
    }
}

both!(two_kinds_of_message_in_one_form_are_none, both_kinds);
async fn both_kinds(on: On) {
    let mut scene = Scene::begin(on).await;
    let right = good(&scene);
    let response = right[0].1.clone();
    for at in 0..=right.len() {
        for other in ["", "x", response.as_str()] {
            let mut fields = right.clone();
            fields.insert(at, ("SAMLRequest", other.to_owned()));
            let page = post(&mut scene, &fields).await;
            scene.is_not_believed(&page, &format!("a request {other:.8?} at {at}")).await;
        }
    }
    ends(scene).await;
}

both!(a_field_that_stands_twice_makes_none, doubled);
async fn doubled(on: On) {
    let mut scene = Scene::begin(on).await;
    let right = good(&scene);
    for (name, value) in right.clone() {
        for other in ["", "x", value.as_str()] {
            for at in [0, right.len()] {
                let mut fields = right.clone();
                fields.insert(at, (name, other.to_owned()));
                let page = post(&mut scene, &fields).await;
                scene.is_not_believed(&page, &format!("{name} {other:.8?} at {at}")).await;
            }
        }
    }
    ends(scene).await;
}

both!(a_compressed_form_is_told_and_proves_nothing, compressed);
async fn compressed(on: On) {
    let mut scene = Scene::begin(on).await;
    let signed = good(&scene)[0].1.clone();
    let xml = STANDARD.decode(signed).unwrap();
    let mut fields = form(&scene, b"");
    fields[0].1 = deflated(&xml);
    let page = post(&mut scene, &fields).await;
    scene.is_not_believed(&page, "compressed").await;
    let story = scene.world.newest_logout().await;
    let told = story.events.iter().any(|event| event.detail.contains("perhaps it is compressed"));
    assert!(told, "{story:#?}");
    ends(scene).await;
}
