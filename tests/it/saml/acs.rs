//! The assertion consumer: one thing of a good, well signed Response is changed, and nobody gets in.

use std::time::Duration;

use sloop::clock::Timestamp;
use sloop::id::IdpId;
use sloop::paths;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Page;
use crate::support::forger::{Forger, Said, Sign};
use crate::support::world::{On, World};

type Change = fn(&mut Said);

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.shifted(seconds * 1_000_000)
}

fn is_refused(page: &Page, what: &str) {
    assert_eq!(page.status, 400, "{what}: {}", page.summary());
    assert_eq!(page.header("location"), None, "{what}");
    assert_eq!(page.header("set-cookie"), None, "{what}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"), "{what}");
    assert!(!page.body.contains("<script") && !page.body.contains("evil"), "{what}: {}", page.body);
}

/// Each change alone keeps the person out and uses nothing up: the good answer works afterwards.
async fn refuses(on: On, changes: &[(&str, Change)]) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;

    for (what, change) in changes {
        let mut said = forger.says(&asked, "ada");
        change(&mut said);
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        is_refused(&page, what);
        assert!(browser.cookie(&world.issuer, "sid").is_none(), "{what}");
        assert!(!world.is_signed_in(&mut browser, &app).await, "{what}");
    }

    let good = forger.says(&asked, "ada");
    let page = forger.send(&world, &mut browser, &asked, &good).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert!(world.is_signed_in(&mut browser, &app).await);
}

// The audit holds what the IdP wrote, and what happened to whoever asked.
both!(strangers_fill_no_audit, strangers);
async fn strangers(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let foreign = Forger::new(&world.clock);
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let refused = async || {
        let audit = world.audit().await;
        audit.iter().filter(|event| event.kind == "sign_in.refused").count()
    };
    let good = forger.says(&asked, "ada");
    let mut failed = good.clone();
    failed.has_assertion = false;
    failed.status = vec!["urn:oasis:names:tc:SAML:2.0:status:Responder".into()];
    let mut misdirected = good.clone();
    misdirected.destination = Some("https://evil.test/acs".into());

    for (what, xml, recorded) in [
        ("nobody signed it", forger.signed(&good, Sign::Nothing), 0),
        ("nobody signed the failure", forger.signed(&failed, Sign::Nothing), 0),
        ("another signed it", foreign.signed(&good, Sign::Both), 0),
        ("the IdP signed it", forger.signed(&misdirected, Sign::Both), 1),
    ] {
        let before = refused().await;
        let page = forger.post(&world, &mut world.browser(), &xml, None).await;
        is_refused(&page, what);
        assert_eq!(refused().await - before, recorded, "{what}");
    }
    let before = refused().await;
    let unsigned = forger.signed(&good, Sign::Nothing);
    is_refused(&forger.post(&world, &mut browser, &unsigned, None).await, "in its own browser");
    assert_eq!(refused().await - before, 1);
    let page = forger.send(&world, &mut browser, &asked, &good).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(a_response_that_was_not_asked_for_is_refused, unsolicited);
async fn unsolicited(on: On) {
    let changes: [(&str, Change); 6] = [
        ("no InResponseTo", |said| said.in_response_to = None),
        ("an unknown one", |said| said.in_response_to = Some("_unknown".into())),
        ("nowhere", |said| {
            said.in_response_to = None;
            said.confirmed_request = None;
        }),
        ("only on the envelope", |said| said.confirmed_request = None),
        ("another in the confirmation", |said| said.confirmed_request = Some("_other".into())),
        ("only in the confirmation", |said| said.in_response_to = Some(String::new())),
    ];
    refuses(on, &changes).await;
}

both!(an_assertion_for_somebody_else_is_refused, addressed);
async fn addressed(on: On) {
    let changes: [(&str, Change); 16] = [
        ("no audience", |said| said.audiences.clear()),
        ("an empty restriction", |said| said.audiences = vec![Vec::new()]),
        ("another audience", |said| said.audiences = vec![vec!["https://evil.test".into()]]),
        ("a longer audience", |said| said.audiences[0][0].push('x')),
        ("a shorter audience", |said| said.audiences[0][0].truncate(20)),
        ("a slash more", |said| said.audiences[0][0].push('/')),
        ("one of two restrictions", |said| said.audiences.push(vec!["https://evil.test".into()])),
        ("no recipient", |said| said.recipient = None),
        ("another recipient", |said| said.recipient = Some("https://evil.test/acs".into())),
        ("a recipient with a slash", |said| said.recipient.as_mut().unwrap().push('/')),
        ("no destination", |said| said.destination = None),
        ("an empty destination", |said| said.destination = Some(String::new())),
        ("another destination", |said| said.destination = Some("https://evil.test/acs".into())),
        ("a destination with a slash", |said| said.destination.as_mut().unwrap().push('/')),
        ("not bearer", |said| said.method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches".into()),
        ("an unknown condition", |said| said.odd_condition = true),
    ];
    refuses(on, &changes).await;
}

both!(an_assertion_of_somebody_else_is_refused, issued);
async fn issued(on: On) {
    let changes: [(&str, Change); 9] = [
        ("another issuer", |said| said.issuer = Some("https://evil.test".into())),
        ("an empty issuer", |said| said.issuer = Some(String::new())),
        ("another issuer of the assertion", |said| {
            said.assertion_issuer = "https://evil.test".into()
        }),
        ("an empty issuer of the assertion", |said| said.assertion_issuer = String::new()),
        ("both", |said| {
            said.issuer = Some("https://evil.test".into());
            said.assertion_issuer = "https://evil.test".into();
        }),
        ("another version", |said| said.version = "1.1".into()),
        ("a version to come", |said| said.version = "3.0".into()),
        ("no AuthnStatement", |said| said.authn_instant = None),
        ("no assertion", |said| said.has_assertion = false),
    ];
    refuses(on, &changes).await;
}

both!(an_assertion_for_another_time_is_refused, timed);
async fn timed(on: On) {
    // Clocks may differ by 60 seconds; the test itself takes a few of them.
    let changes: [(&str, Change); 8] = [
        ("not valid yet", |said| said.valid_from = later(said.valid_until, -220)),
        ("not valid any more", |said| said.valid_until = later(said.valid_until, -361)),
        ("confirmed too long ago", |said| {
            said.confirmed_until = Some(later(said.valid_until, -361))
        }),
        ("confirmed for ever", |said| said.confirmed_until = None),
        ("confirmed from a time on", |said| said.confirmed_not_before = Some(said.valid_from)),
        ("authenticated in the future", |said| {
            said.authn_instant = Some(later(said.valid_until, -220))
        }),
        ("a session that has ended", |said| {
            said.session_not_on_or_after = Some(later(said.valid_until, -361));
        }),
        ("long ago", |said| {
            said.valid_until = later(said.valid_until, -86_400);
            said.confirmed_until = Some(said.valid_until);
        }),
    ];
    refuses(on, &changes).await;
}

both!(clocks_may_differ_by_a_minute_and_no_more, skew);
async fn skew(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;

    for (seconds, works) in [(-400, false), (-340, true), (-310, true), (0, true)] {
        let mut browser = world.browser();
        let (_, asked) = ask(&forger, &mut browser, &app).await;
        let mut said = forger.says(&asked, "ada");
        said.valid_until = later(said.valid_until, seconds);
        said.confirmed_until = Some(said.valid_until);
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        assert_eq!(page.location().is_some(), works, "{seconds}: {}", page.summary());
        assert_eq!(world.is_signed_in(&mut browser, &app).await, works, "{seconds}");
    }
}

both!(what_is_not_signed_by_the_idp_is_refused, signatures);
async fn signatures(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let stranger = crate::support::forger::Forger::new(&world.clock);
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let relay_state = asked.relay_state.as_deref();
    let said = forger.says(&asked, "ada");
    let good = forger.signed(&said, Sign::Both);

    for (what, xml) in [
        ("unsigned", forger.signed(&said, Sign::Nothing)),
        ("another key", stranger.signed(&said, Sign::Both)),
        ("another person", good.replace(">ada<", ">eve<")),
        ("another attribute", good.replace("ada@example.org", "eve@example.org")),
        ("the signatures cut out", cut(&good)),
        ("a document type", format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{good}")),
        ("no XML", "evil".into()),
        ("nothing", String::new()),
        ("another document", "<a xmlns=\"evil\"/>".into()),
        ("deep", format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000))),
    ] {
        let page = forger.post(&world, &mut browser, &xml, relay_state).await;
        is_refused(&page, what);
        assert!(!world.is_signed_in(&mut browser, &app).await, "{what}");
    }
    let page = forger.post(&world, &mut browser, &good, relay_state).await;
    assert!(page.location().is_some(), "{}", page.summary());

    for sign in [Sign::Response, Sign::Assertion] {
        let mut browser = world.browser();
        let (_, asked) = ask(&forger, &mut browser, &app).await;
        let xml = forger.signed(&forger.says(&asked, "ada"), sign);
        let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;
        assert!(page.location().is_some(), "{sign:?}: {}", page.summary());
        assert!(world.is_signed_in(&mut browser, &app).await, "{sign:?}");
    }
}

both!(a_comment_does_not_shorten_a_name, comment);
async fn comment(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut subjects = Vec::new();
    // Comments are not part of what is signed (Exclusive C14N), so anybody may put one in.
    for (name, in_it) in
        [("admin@evil", "admin@evil"), ("admin@evil", "admin<!-- -->@evil"), ("admin", "admin")]
    {
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let xml = forger.signed(&forger.says(&asked, name), Sign::Both);
        let xml =
            xml.replace(&format!(">{name}</saml:NameID>"), &format!(">{in_it}</saml:NameID>"));
        let relay_state = asked.relay_state.as_deref();
        let page = forger.post(&world, &mut browser, &xml, relay_state).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        subjects.push(tokens.claims["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[1]);
    assert_ne!(subjects[1], subjects[2]);
}

fn cut(xml: &str) -> String {
    let mut rest = xml.to_owned();
    while let Some(start) = rest.find("<ds:Signature ") {
        let end = rest.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        rest.replace_range(start..end, "");
    }
    assert!(rest.len() < xml.len());
    rest
}

both!(a_wrong_relay_state_uses_nothing_up_and_leads_nowhere, relay_state);
async fn relay_state(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let (_, other) = ask(&forger, &mut browser, &app).await;
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);
    assert!(asked.relay_state.as_ref().unwrap().len() <= 80);

    let long = "a".repeat(10_000);
    for foreign in [
        "https://evil.test/",
        "//evil.test",
        "https:evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/connect/authorize",
        "\r\nLocation: https://evil.test",
        "<script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "x",
        &long,
        other.relay_state.as_deref().unwrap(),
    ] {
        let page = forger.post(&world, &mut browser, &xml, Some(foreign)).await;
        is_refused(&page, foreign);
        assert!(!world.is_signed_in(&mut browser, &app).await, "{foreign}");
    }
    let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(an_idp_that_loses_the_relay_state_still_signs_its_own_browser_in, lost_relay_state);
async fn lost_relay_state(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);

    let page = forger.post(&world, &mut browser, &xml, None).await;

    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert!(world.is_signed_in(&mut browser, &app).await);
}

both!(an_answer_comes_within_the_life_of_its_request, too_late);
async fn too_late(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    for (minutes, works) in [(8, true), (61, false)] {
        let mut browser = world.browser();
        let (_, asked) = ask(&forger, &mut browser, &app).await;
        world.clock.advance(Duration::from_secs(60 * minutes));
        let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
        assert_eq!(page.location().is_some(), works, "{minutes}: {}", page.summary());
        assert_eq!(world.is_signed_in(&mut browser, &app).await, works, "{minutes}");
    }
}

both!(a_disabled_idp_signs_nobody_in, disabled);
async fn disabled(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let said = forger.says(&asked, "ada");
    let id: IdpId = "forged".parse().unwrap();

    world.use_cases().disable_idp(&id).await.unwrap();
    let page = forger.send(&world, &mut browser, &asked, &said).await;
    is_refused(&page, "disabled");
    assert!(!world.is_signed_in(&mut browser, &app).await);

    // Saved again, it is itself again.
    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 200);
    let page = forger.send(&world, &mut browser, &asked, &said).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(only_one_form_with_one_response_counts, form);
async fn form(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&xml);
    let relay_state = asked.relay_state.as_deref().unwrap();
    let acs = world.url(paths::SAML_ACS);

    let response = ("SAMLResponse", encoded.as_str());
    for fields in [
        vec![],
        vec![("RelayState", relay_state)],
        vec![response, response],
        vec![response, ("RelayState", relay_state), ("RelayState", relay_state)],
        vec![("SAMLRequest", encoded.as_str())],
        vec![("SAMLResponse", "%%%")],
    ] {
        let page = browser.post(&acs, &fields, Some(&forger.base)).await;
        is_refused(&page, "form");
    }
    let in_query = crate::support::query::form(&[response, ("RelayState", relay_state)]);
    let page = browser.get(&format!("{acs}?{in_query}")).await;
    assert!(page.status == 405 || page.status == 400 || page.status == 414 || page.status == 431);
    assert!(!world.is_signed_in(&mut browser, &app).await);

    // Base64 with line breaks is what some IdPs write.
    let lines: Vec<_> = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
    let wrapped = lines.join("\r\n");
    let fields = [("SAMLResponse", wrapped.as_str()), ("RelayState", relay_state)];
    let page = browser.post(&acs, &fields, Some(&forger.base)).await;
    assert!(page.location().is_some(), "{}", page.summary());
}
