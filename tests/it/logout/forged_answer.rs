//! Answers that are not what they seem. None of them ends a leg as confirmed, and none strands the
//! person who carries it.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use sloop::mock_idp::{MockIdp, Options};
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::EntityId;

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey, Message};
use crate::support::world::{On, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];

both!(what_does_not_fit_the_request_is_no_answer_to_it, misfits);
async fn misfits(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    // Another IdP of ours, whose key must count for nothing here.
    let other =
        MockIdp::new("http://localhost:9", Options::default(), world.clock.clone(), Rng::system());
    let other = other.unwrap();
    assert_eq!(world.add_idp("other", &other.metadata(), "").await.status, 201);
    let app = world.app_with("app-one", serde_json::json!({ "idps": ["corp"] })).await;
    type Forge<'k> = Box<dyn Fn(&mut Message<'k>) + 'k>;
    let forgeries: Vec<(&str, Forge)> = vec![
        ("a stranger's key", Box::new(|it| it.signer = Some(&stranger))),
        ("another request", Box::new(|it| it.answer.in_response_to = "_other".into())),
        ("the answer's own id", Box::new(|it| it.answer.in_response_to = it.answer.id.clone())),
        ("another IdP", Box::new(|it| it.answer.issuer = other.entity_id().clone())),
        (
            "an issuer that is almost the same",
            Box::new(|it| {
                it.answer.issuer = EntityId::parse(&format!("{}/", it.answer.issuer)).unwrap();
            }),
        ),
        (
            "another address",
            Box::new(|it| it.answer.destination = Some("https://evil.test/logout".into())),
        ),
        (
            "our other address",
            Box::new(|it| it.answer.destination = Some(it.at.replace("/logout", "/saml/acs"))),
        ),
        ("no address", Box::new(|it| it.answer.destination = None)),
    ];
    for by in BOTH {
        for (what, forge) in &forgeries {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            let right = asked.answer(&world, &key);
            let wrong = right.clone().with(|it| forge(it));

            let page = wrong.deliver(&mut ada.browser, by).await;

            assert_eq!(leads_to(&page), home(&app), "{by:?} {what}: the person goes on");
            let said = idp_leg(&world).await;
            assert!(said.starts_with("unconfirmed"), "{by:?} {what}: {said}");
            let refused = world.newest_logout().await.events;
            assert!(refused.iter().any(|event| event.kind == "logout.answer_refused"), "{what}");
            assert!(!ada.is_in(&world, &app).await);
            // It has used up nothing: the right one still counts.
            let page = right.deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app));
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)", "{by:?} {what}");
        }
    }
}

both!(a_wrong_relay_state_uses_up_nothing, wrong_relay_state);
async fn wrong_relay_state(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let of_bob = bob.begin(&world, &app).await;
    let of_ada = ada.begin(&world, &app).await;
    for by in BOTH {
        for relay_state in ["unknown", "https://evil.test/", &of_ada.relay_state[1..]] {
            let wrong = of_ada
                .answer(&world, &key)
                .with(|it| it.relay_state = Some(relay_state.to_owned()));
            let page = wrong.deliver(&mut ada.browser, by).await;
            // It answers nothing, and its browser is not left standing.
            assert_eq!(page.status, 303, "{}", page.summary());
            assert!(leads_to(&page).starts_with(&world.url(paths::LOGOUT_PAGE)));
            assert_eq!(idp_leg(&world).await, "open");
        }
        // Two flows swapped: the answer to one logout with the RelayState of the other.
        let swapped = of_ada
            .answer(&world, &key)
            .with(|it| it.relay_state = Some(of_bob.relay_state.clone()));
        swapped.deliver(&mut bob.browser, by).await;
        assert_eq!(idp_leg(&world).await, "open", "ada's leg");
    }
    let page = of_ada.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
    assert_eq!(leads_to(&page), home(&app));
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    // What was swapped moved bob on; it did not make his leg say more than is known.
    let all = world.use_cases().logouts(10).await.unwrap();
    let story = world.use_cases().logout_story(all.last().unwrap().id).await.unwrap();
    assert!(story.legs.last().unwrap().said.starts_with("unconfirmed"), "{story:?}");
}

both!(any_number_of_refused_answers_is_one_event, one_event);
async fn one_event(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    let right = asked.answer(&world, &key);
    let unsigned = right.clone().with(|it| it.signer = None);
    let forged = right.clone().with(|it| it.signer = Some(&stranger));
    let before = world.audit().await.len();
    let refusals = async || -> Vec<String> {
        let audit = world.audit().await.into_iter();
        let refused = audit.filter(|event| event.kind == "logout.answer_refused");
        refused.map(|event| event.detail).collect()
    };
    for by in BOTH {
        for answer in [&unsigned, &forged] {
            let page = answer.deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app), "the person goes on each time");
            assert!(idp_leg(&world).await.starts_with("unconfirmed"));
        }
    }
    assert_eq!(refusals().await, ["Success, but nobody signed it"]);
    // The right one counts after all of them, and none of them counts after it.
    right.deliver(&mut ada.browser, By::Post).await;
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    let written = world.audit().await.len();
    assert!(written - before < 8, "{written} - {before}");
    for _ in 0..3 {
        let page = forged.deliver(&mut ada.browser, By::Redirect).await;
        assert_eq!(leads_to(&page), home(&app));
    }
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    assert_eq!(world.audit().await.len(), written);
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.audit().await.len(), written);
}

fn deflated(bytes: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

both!(what_is_no_message_never_strands_its_browser, garbage);
async fn garbage(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let xml = b"<samlp:LogoutResponse xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"/>";
    let doctype = b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    // A thousand times its size when it is unpacked.
    let bomb = deflated(&vec![b' '; 6 * 1024 * 1024]);
    assert!(bomb.len() < 10 * 1024);
    for (by, messages) in [
        (
            By::Redirect,
            vec![
                "!!!".to_owned(),
                STANDARD.encode("x"),
                deflated(b"<a"),
                deflated(xml),
                bomb.clone(),
            ],
        ),
        (
            By::Post,
            vec![
                "!!!".to_owned(),
                STANDARD.encode("<a"),
                STANDARD.encode(xml),
                STANDARD.encode(doctype),
            ],
        ),
    ] {
        for message in messages {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            let what = &message[..message.len().min(40)];
            // Nobody's, without a RelayState.
            let mut nobody = world.browser();
            let page = send(&world, &mut nobody, by, &[("SAMLResponse", &message)]).await;
            assert_eq!((page.status, page.location()), (200, None), "{what}: {}", page.summary());
            assert_eq!(idp_leg(&world).await, "open", "{what}");

            let fields = [("SAMLResponse", message.as_str()), ("RelayState", &asked.relay_state)];
            let page = send(&world, &mut ada.browser, by, &fields).await;
            assert_eq!(leads_to(&page), home(&app), "{by:?} {what}");
            assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{by:?} {what}");
            let page = asked.answer(&world, &key).deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app));
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        }
    }
}

async fn send(
    world: &World,
    browser: &mut crate::support::browser::Browser,
    by: By,
    fields: &[(&str, &str)],
) -> crate::support::browser::Page {
    let mut url = url::Url::parse(&world.url(paths::SAML_LOGOUT)).unwrap();
    match by {
        By::Post => browser.post(url.as_str(), fields, Some(&world.idp_url)).await,
        By::Redirect => {
            url.query_pairs_mut().extend_pairs(fields);
            browser.get(url.as_str()).await
        }
    }
}

both!(what_can_be_read_in_two_ways_is_refused, ambiguous);
async fn ambiguous(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    let answer = asked.answer(&world, &key);
    let fields = answer.fields();
    let (message, relay_state) = (fields[0].1.as_str(), asked.relay_state.as_str());
    for fields in [
        vec![("SAMLResponse", message), ("SAMLRequest", message), ("RelayState", relay_state)],
        vec![("SAMLResponse", message), ("SAMLResponse", message), ("RelayState", relay_state)],
        vec![("SAMLResponse", message), ("RelayState", relay_state), ("RelayState", relay_state)],
        vec![("SAMLRequest", message), ("RelayState", relay_state)],
        vec![("RelayState", relay_state)],
    ] {
        let page = send(&world, &mut ada.browser, By::Post, &fields).await;
        if fields[0].0 == "SAMLRequest" {
            assert_eq!(page.status, 400, "{}", page.summary());
        } else {
            assert!(leads_to(&page).starts_with(&world.url(paths::LOGOUT_PAGE)), "{fields:?}");
        }
        assert_eq!(idp_leg(&world).await, "open");
    }
    let url = answer.url();
    let (_, query) = url.split_once('?').unwrap();
    for more in ["SAMLRequest=a", "SAMLResponse=a", "RelayState=a", "SigAlg=a", "SAMLEncoding=x"] {
        let page = ada.browser.get(&format!("{url}&{more}")).await;
        assert!(leads_to(&page).starts_with(&world.url(paths::LOGOUT_PAGE)), "{more}");
    }
    let half = query.split("&Signature=").next().unwrap();
    let page = ada.browser.get(&world.url(&format!("{}?{half}", paths::SAML_LOGOUT))).await;
    assert!(leads_to(&page).starts_with(&world.url(paths::LOGOUT_PAGE)));
    assert_eq!(idp_leg(&world).await, "open");
    // What is outside the signature and means nothing is ignored.
    let page = ada.browser.get(&format!("{url}&utm_source=x")).await;
    assert_eq!(leads_to(&page), home(&app));
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
}
