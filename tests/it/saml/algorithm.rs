//! How a Response is signed: the listed algorithms with the right kind of key, and nothing else. Every
//! message here is right in all but its signature, and the signature is what its maker says it is.

use std::collections::BTreeSet;

use openssl::hash::MessageDigest;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Page;
use crate::support::forger::{Forger, Said, Sign};
use crate::support::odd_algorithms::Keys;
use crate::support::odd_signer::{Recipe, rsa, with_keys};
use crate::support::rp::RelyingParty;
use crate::support::sink::Sink;
use crate::support::world::{On, World};

/// Which of the two elements is signed, and how.
type Bases<'r> = [(&'static str, Option<&'r Recipe>, Option<&'r Recipe>); 5];

/// Signs the Assertion, then the Response around it.
pub(super) fn signed(
    xml: &str,
    said: &Said,
    assertion: Option<&Recipe>,
    response: Option<&Recipe>,
) -> String {
    let mut xml = xml.to_owned();
    if let Some(recipe) = assertion {
        xml = recipe.envelope(&xml, &said.assertion_id);
    }
    if let Some(recipe) = response {
        xml = recipe.envelope(&xml, &said.response_id);
    }
    xml
}

/// An IdP with keys of every kind beside its own.
async fn with_odd_keys(world: &World, keys: &Keys) -> (Forger, RelyingParty) {
    let (forger, app) = forged(world).await;
    let metadata = with_keys(&forger.metadata(), &keys.descriptors());
    let added = world.add_idp("forged", &metadata, "").await;
    assert_eq!(added.status, 200, "{}", added.body);
    // Two of them do not count, and the administrator is told.
    let ignored = added.body.matches("a signing key is not used").count();
    assert_eq!(ignored, 2, "{}", added.body);
    (forger, app)
}

fn is_refused(page: &Page, what: &str) {
    assert_eq!(page.status, 400, "{what}: {}", page.summary());
    assert_eq!((page.header("location"), page.header("set-cookie")), (None, None), "{what}");
}

both!(a_signature_by_any_other_algorithm_signs_nobody_in, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let keys = Keys::generate();
    let (forger, app) = with_odd_keys(&world, &keys).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let relay_state = asked.relay_state.as_deref();
    let said = forger.says(&asked, "ada");
    let xml = forger.signed(&said, Sign::Nothing);
    let good = keys.good();

    // All refusals look the same to whoever tries.
    let mut pages = BTreeSet::new();
    for (what, bad) in keys.refused().into_iter().chain(keys.refused_in_xml()) {
        let bases: Bases<'_> = [
            ("the assertion", Some(&bad), None),
            ("the response", None, Some(&bad)),
            ("both", Some(&bad), Some(&bad)),
            ("the assertion in a good response", Some(&bad), Some(&good)),
            ("the response around a good assertion", Some(&good), Some(&bad)),
        ];
        for (base, assertion, response) in bases {
            let what = format!("{what}, {base}");
            let forged = signed(&xml, &said, assertion, response);
            let page = forger.post(&world, &mut browser, &forged, relay_state).await;
            is_refused(&page, &what);
            pages.insert(without_reference(&page));
        }
        assert!(browser.cookie(&world.issuer, "sid").is_none(), "{what}");
        assert!(!world.is_signed_in(&mut browser, &app).await, "{what}");
    }
    assert_eq!(pages.len(), 1, "{pages:#?}");

    let xml = signed(&xml, &said, Some(&good), Some(&good));
    let page = forger.post(&world, &mut browser, &xml, relay_state).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert!(world.is_signed_in(&mut browser, &app).await);
}

/// The page without the reference, which is another every time.
fn without_reference(page: &Page) -> String {
    let (before, rest) = page.body.split_once("<code>").unwrap();
    let (_, after) = rest.split_once("</code>").unwrap();
    format!("{before}{after}")
}

both!(every_listed_algorithm_signs_in, accepted);
async fn accepted(on: On) {
    let world = World::on(on).await;
    let keys = Keys::generate();
    let (forger, app) = with_odd_keys(&world, &keys).await;
    let good = keys.good();
    for (what, recipe) in keys.accepted() {
        for (assertion, response) in
            [(Some(&recipe), None), (None, Some(&recipe)), (Some(&recipe), Some(&good))]
        {
            let mut browser = world.browser();
            let (attempt, asked) = ask(&forger, &mut browser, &app).await;
            let said = forger.says(&asked, "ada");
            let xml = signed(&forger.signed(&said, Sign::Nothing), &said, assertion, response);
            let relay_state = asked.relay_state.as_deref();
            let page = forger.post(&world, &mut browser, &xml, relay_state).await;
            let callback = page.location().unwrap_or_else(|| panic!("{what}: {}", page.summary()));
            app.finish(&attempt, &callback).await.unwrap();
        }
    }
}

both!(a_url_that_a_signature_names_is_never_visited, nothing_fetched);
async fn nothing_fetched(on: On) {
    let world = World::on(on).await;
    let keys = Keys::generate();
    let (forger, app) = with_odd_keys(&world, &keys).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let relay_state = asked.relay_state.as_deref();
    let said = forger.says(&asked, "ada");
    let xml = forger.signed(&said, Sign::Nothing);
    let sink = Sink::listen().await;
    let url = sink.url("/sink");
    let rsa_sha256 = rsa(&keys.rsa, MessageDigest::sha256());
    let good = keys.good();
    let whole = good.envelope(&xml, &said.response_id);
    let key_info = |inside: String| {
        whole.replacen(
            "</ds:SignatureValue>",
            &format!("</ds:SignatureValue><ds:KeyInfo>{inside}</ds:KeyInfo>"),
            1,
        )
    };
    for (what, xml) in [
        ("algorithm", Recipe::new(&url, rsa_sha256).envelope(&xml, &said.response_id)),
        (
            "digest",
            good.clone()
                .with_digest(&url, MessageDigest::sha256())
                .envelope(&xml, &said.response_id),
        ),
        ("reference", whole.replacen(&format!("URI=\"#{}\"", said.response_id), &format!("URI=\"{url}\""), 1)),
        ("transform", whole.replacen("http://www.w3.org/2000/09/xmldsig#enveloped-signature", &url, 1)),
        ("a key elsewhere, cut", {
            let inside = format!("<ds:RetrievalMethod URI=\"{url}\"></ds:RetrievalMethod>");
            key_info(inside).replacen(">ada<", ">eve<", 1)
        }),
        ("a schema", whole.replacen("<samlp:Response ", &format!("<samlp:Response xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x {url}\" "), 1)),
        ("an entity", format!("<!DOCTYPE a SYSTEM \"{url}\">{whole}")),
        ("a style sheet", format!("<?xml-stylesheet href=\"{url}\"?>{whole}")),
    ] {
        let page = forger.post(&world, &mut browser, &xml, relay_state).await;
        is_refused(&page, what);
        assert_eq!(sink.connections(), 0, "{what}");
        assert!(!world.is_signed_in(&mut browser, &app).await, "{what}");
    }
    // What KeyInfo says is not even read, so it does no harm.
    let hint = key_info(format!("<ds:RetrievalMethod URI=\"{url}\"></ds:RetrievalMethod>"));
    let page = forger.post(&world, &mut browser, &hint, relay_state).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert_eq!(sink.connections(), 0);
}
