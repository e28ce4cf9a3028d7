//! Each fault of an answer, by each binding: what leaves the IdP, and what becomes of its session.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{Answer, World};
use crate::mock_idp::{Entry, Fault, Options, Plan, Refused, RolledKey, Slo};
use crate::saml::{Binding, IdpMetadata, Proof};
use crate::xml::verify::TrustedKeys;

const BINDINGS: [Binding; 3] = [Binding::Redirect, Binding::Post, Binding::Soap];

fn everything() -> World {
    World::new(Options { slo: Slo::All, ..Options::default() })
}

#[tokio::test]
async fn an_answer_goes_wrong_in_one_thing_and_is_right_in_all_others() {
    let mut world = everything();
    let right = Answer {
        status: "Success".into(),
        in_response_to_fits: true,
        issuer_fits: true,
        signature: Some(Proof::Signed),
        relay_state: true,
        lower_case: false,
    };
    let refused = |status: &str| Answer { status: status.into(), ..right.clone() };
    for (fault, expected, sessions) in [
        (None, right.clone(), 0),
        (Some("partial"), refused("Success / PartialLogout"), 0),
        (Some("refused"), refused("Responder"), 1),
        (Some("refused=requester"), refused("Requester"), 1),
        (Some("refused=version-mismatch"), refused("VersionMismatch"), 1),
        (Some("refused=request-denied"), refused("Responder / RequestDenied"), 1),
        (Some("refused=unknown-principal"), refused("Requester / UnknownPrincipal"), 1),
        (Some("refused=unknown-status"), refused("Tuesday"), 1),
        (Some("slow=0.01"), right.clone(), 0),
        (Some("wrong-in-response-to"), Answer { in_response_to_fits: false, ..right.clone() }, 0),
        (Some("wrong-issuer"), Answer { issuer_fits: false, ..right.clone() }, 0),
        (Some("unsigned"), Answer { signature: Some(Proof::Unsigned), ..right.clone() }, 0),
        (Some("badly-signed"), Answer { signature: None, ..right.clone() }, 0),
        (Some("lost-relay-state"), Answer { relay_state: false, ..right.clone() }, 0),
        (Some("lower-case-percent"), Answer { lower_case: true, ..right.clone() }, 0),
    ] {
        for by in BINDINGS {
            let faults: Vec<Fault> = fault.iter().map(|fault| fault.parse().unwrap()).collect();
            world.idp.misbehave(Plan::of(faults.clone()).times(1)).unwrap();
            let login = world.sign_in("ada").await;
            let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
            let answer = world.asked_by(by, &request).await;
            // There is no RelayState by SOAP, and nothing to percent-encode but by Redirect.
            let expected = Answer {
                relay_state: expected.relay_state && by != Binding::Soap,
                lower_case: expected.lower_case && by == Binding::Redirect,
                ..expected.clone()
            };
            assert_eq!(answer, expected, "{fault:?} by {by:?}");
            assert_eq!(world.users().len(), sessions, "{fault:?} by {by:?}");
            let Entry::LogoutRequest { faults: shown, ended, binding, .. } = world.last_entry()
            else {
                panic!("{:?}", world.last_entry());
            };
            assert_eq!((shown, ended, binding), (faults, 1 - sessions, by));
            // It was for one request only.
            assert!(world.idp.plans().is_empty());
            world.post("/signout", &[]).await;
        }
    }
}

#[tokio::test]
async fn a_slow_answer_comes_later() {
    let mut world = everything();
    world.idp.misbehave(Plan::of(["slow=0.2".parse().unwrap()])).unwrap();
    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    let begun = tokio::time::Instant::now();
    assert_eq!(world.asked_by(Binding::Post, &request).await.status, "Success");
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn no_answer_is_a_page_in_the_browser_and_silence_by_soap() {
    let mut world = everything();
    world.idp.misbehave(Plan::of([Fault::NoAnswer])).unwrap();
    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    let page = world.log_out(&request).await;
    assert_eq!((page.status, page.location), (StatusCode::OK, None));
    assert!(page.body.contains("this is where you stay") && world.users().is_empty());

    let login = world.sign_in("ada").await;
    let mut request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    request.destination = None;
    let asked = tokio::time::timeout(Duration::from_millis(100), world.by_soap(&request)).await;
    assert!(asked.is_err(), "it answered");
    assert!(world.users().is_empty(), "but its session ended");
}

#[tokio::test]
async fn a_binding_that_is_not_in_the_metadata_is_not_taken() {
    let mut world = everything();
    for (fault, offered) in [
        (Fault::RedirectOnly, vec![Binding::Redirect]),
        (Fault::PostOnly, vec![Binding::Post]),
        (Fault::SoapOnly, vec![Binding::Soap]),
        (Fault::LoginUrlOnly, vec![]),
    ] {
        world.idp.misbehave(Plan::of([fault])).unwrap();
        let now = world.clock.now();
        let metadata = IdpMetadata::parse(world.idp.metadata().as_bytes(), None, now).unwrap();
        let found: Vec<_> = metadata.single_logout.iter().map(|it| it.binding).collect();
        assert_eq!(found, offered, "{fault}");
        for by in BINDINGS {
            let login = world.sign_in("ada").await;
            let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
            if offered.contains(&by) {
                assert_eq!(world.asked_by(by, &request).await.status, "Success", "{fault} {by:?}");
            } else {
                let page = world.send_by(by, &request).await;
                assert_eq!(page.status, StatusCode::BAD_REQUEST, "{fault} {by:?}");
                assert_eq!(world.last_entry(), Entry::Refused { code: "logout_not_offered" });
                assert_eq!(world.users(), ["ada"]);
                world.post("/signout", &[]).await;
            }
        }
    }
    world.idp.behave();
    assert_eq!(world.idp.metadata().matches("<md:SingleLogoutService").count(), 3);
}

#[tokio::test]
async fn a_rolled_key_is_in_the_metadata_or_not_yet() {
    let mut world = everything();
    let keys = |world: &World| {
        let metadata = world.idp.metadata();
        IdpMetadata::parse(metadata.as_bytes(), None, world.clock.now()).unwrap().signing_keys
    };
    let former = keys(&world);
    for (rolled, published, believed) in
        [(RolledKey::Announced, 2, true), (RolledKey::Unannounced, 1, false)]
    {
        world.idp.misbehave(Plan::of([Fault::RolledKey(rolled)])).unwrap();
        assert_eq!(keys(&world).keys().len(), published);
        for by in BINDINGS {
            let login = signed_in_with(&mut world, &former).await;
            let proof = |keys: TrustedKeys, world: &mut World| world.metadata.signing_keys = keys;
            proof(former.clone(), &mut world);
            let request = world.logout_request(login.0, login.1);
            let answer = world.asked_by(by, &request).await;
            assert_eq!(answer.signature, None, "the former key did not sign: {by:?}");
            proof(keys(&world), &mut world);
            world.idp.behave();
            let login = world.sign_in("ada").await;
            let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
            world.idp.misbehave(Plan::of([Fault::RolledKey(rolled)])).unwrap();
            let answer = world.asked_by(by, &request).await;
            assert_eq!(answer.signature.is_some(), believed, "{rolled:?} by {by:?}");
        }
    }
}

/// Signs in with the key that was known before.
async fn signed_in_with(
    world: &mut World,
    former: &TrustedKeys,
) -> (crate::saml::NameId, Vec<crate::saml::SessionIndex>) {
    let plans = world.idp.plans();
    world.idp.behave();
    world.metadata.signing_keys = former.clone();
    let login = world.sign_in("ada").await;
    for plan in plans {
        world.idp.misbehave(plan).unwrap();
    }
    (login.name_id.unwrap(), login.session_indexes)
}

#[tokio::test]
async fn an_expired_certificate_is_around_the_same_key() {
    let mut world = everything();
    let before = world.idp.metadata();
    world.idp.misbehave(Plan::of([Fault::ExpiredCertificate])).unwrap();
    let metadata = world.idp.metadata();
    assert_ne!(metadata, before);
    let metadata = IdpMetadata::parse(metadata.as_bytes(), None, world.clock.now()).unwrap();
    assert_eq!(metadata.signing_keys.keys(), world.metadata.signing_keys.keys());
    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    let answer = world.asked_by(Binding::Redirect, &request).await;
    assert_eq!(answer.signature, Some(Proof::Signed));
}

#[tokio::test]
async fn sign_in_goes_wrong_for_whom_it_is_meant() {
    let mut world = everything();
    let plan = Plan::of([Fault::NoSessionIndex, Fault::EncryptedNameId]);
    world.idp.misbehave(plan.for_user("ada")).unwrap();
    let login = world.sign_in("ada").await;
    assert!(login.session_indexes.is_empty() && login.name_id.is_some());
    world.post("/signout", &[]).await;
    let login = world.sign_in("ben").await;
    assert_eq!(login.session_indexes.len(), 1);

    let force = crate::saml::AuthnRequest { force_authn: true, ..world.authn_request() };
    assert!(world.ask(&force).await.body.contains("Who are you?"));
    // Chosen at the sign-in page, for this person from now on.
    let chosen = [("user", "ben"), ("fault", "ignores-force-authn"), ("fault", "")];
    world.post("/login", &chosen).await;
    assert_eq!(world.idp.plans()[1], Plan::of([Fault::IgnoresForceAuthn]).for_user("ben"));
    let force = crate::saml::AuthnRequest { force_authn: true, ..world.authn_request() };
    let page = world.ask(&force).await;
    world.accept(&page, &force).expect("an answer without a question");
}

#[tokio::test]
async fn a_script_chooses_faults_and_reads_what_is_in_force() {
    let mut world = everything();
    let form = [("fault", "partial"), ("fault", "slow=0.5"), ("user", "ada"), ("times", "3")];
    let page = world.post("/faults", &form).await;
    let plan = json!({ "faults": ["partial", "slow=0.5"], "user": "ada", "times": 3 });
    assert_eq!((page.status, page.json()), (StatusCode::OK, json!({ "in_force": [plan] })));
    assert_eq!(world.get("http://127.0.0.1:8081/faults").await.json()["in_force"], json!([plan]));
    for (form, says) in [
        (vec![("fault", "partiall")], "there is no fault \"partiall\"; there are partial, refused"),
        (vec![("fault", "slow=soon")], "the fault slow takes 0 to 3600 seconds"),
        (vec![("fault", "partial"), ("times", "often")], "times is a number"),
        (vec![("fault", "post-only"), ("times", "1")], "post-only is in the metadata"),
    ] {
        let page = world.post("/faults", &form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{form:?}");
        assert!(page.body.contains(says), "{}", page.body);
        assert_eq!(world.idp.plans().len(), 1, "nothing was changed");
    }
    world.post("/faults", &[("user", "ada")]).await;
    assert!(world.idp.plans().is_empty());
    world.post("/faults", &[("fault", "refused=request-denied")]).await;
    let refused = Fault::Refused(Refused::RequestDenied);
    assert_eq!(world.idp.plans(), [Plan::of([refused])]);
    assert_eq!(world.delete("/faults").await, StatusCode::NO_CONTENT);
    assert!(world.idp.plans().is_empty());
}

#[tokio::test]
async fn the_journal_and_the_sessions_are_json() {
    let mut world = everything();
    world.sign_in("ada").await;
    let journal = world.get("http://127.0.0.1:8081/journal").await.json();
    let events: Vec<_> = journal.as_array().unwrap().iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["authn_request", "issued"]);
    assert_eq!(journal[0]["binding"], "redirect");
    assert_eq!(journal[1]["user"], "ada");
    assert!(journal[1]["at"].as_str().unwrap().ends_with('Z'), "{journal}");
    let sessions = world.get("http://127.0.0.1:8081/sessions").await.json();
    assert_eq!(sessions[0]["user"], "ada");
    assert_eq!(sessions[0]["name_id"], journal[1]["name_id"]);
    assert_eq!(world.delete("/journal").await, StatusCode::NO_CONTENT);
    assert_eq!(world.get("http://127.0.0.1:8081/journal").await.json(), json!([]));
}
