//! The AuthnRequest as an IdP receives it.

use serde_json::json;
use sloop::mock_idp::Entry;
use sloop::paths;
use sloop::saml::Binding;

use super::{ask, forged};
use crate::both;
use crate::support::forger::Forger;
use crate::support::world::{On, World};

both!(it_says_who_asks_whom_and_where_the_answer_goes, content);
async fn content(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let metadata = world.get(paths::SAML_METADATA).await.body;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (_, asked) = ask(&forger, &mut world.browser(), &app).await;
        let request = asked.request;
        assert!(request.id.starts_with('_') && request.id.len() > 16, "{}", request.id);
        assert_eq!(request.issuer.as_str(), world.url(paths::SAML_METADATA));
        assert_eq!(request.destination, forger.sso());
        assert_eq!(request.acs_url, world.url(paths::SAML_ACS));
        assert!(metadata.contains(&format!("Location=\"{}\"", request.acs_url)), "{metadata}");
        assert!(!request.force_authn && !request.is_passive);
        assert_eq!(request.requested_authn_context, Vec::<String>::new());
        assert_eq!(request.name_id_policy.unwrap().format, None);
        for wanted in [r#"Version="2.0""#, r#"AllowCreate="true""#] {
            assert!(asked.xml.contains(wanted), "{wanted} in {}", asked.xml);
        }
        for unwanted in ["ServiceIndex", "RequestedAuthnContext", "NameQualifier", "ForceAuthn"] {
            assert!(!asked.xml.contains(unwanted), "{unwanted} in {}", asked.xml);
        }
        let instant = asked.xml.split("IssueInstant=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(instant.ends_with('Z'), "{instant}");
        ids.push(request.id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

both!(a_strict_idp_takes_it_by_redirect_first, redirect);
async fn redirect(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    world.sign_in(&mut world.browser(), &app, "ada").await;
    // The test IdP offers both, and refuses what is not signed or not for it.
    let journal = world.idp.journal();
    assert!(
        matches!(journal[0], Entry::AuthnRequest { binding: Binding::Redirect, .. }),
        "{journal:#?}"
    );
}

both!(an_idp_without_redirect_gets_a_signed_form, by_post);
async fn by_post(on: On) {
    let world = World::on(on).await;
    let mut forger = Forger::new(&world.clock);
    forger.bindings = vec![Binding::Post];
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;

    let page = browser.get(attempt.url.as_str()).await;

    assert_eq!(page.status, 200);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'nonce-") && !policy.contains("unsafe"), "{policy}");
    let asked = forger.asked(&page);
    assert_eq!(asked.request.destination, forger.sso());
    assert!(asked.xml.contains("<ds:Signature"), "{}", asked.xml);
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(a_real_idp_that_is_given_the_form_accepts_it, post_to_test_idp);
async fn post_to_test_idp(on: On) {
    let world = World::on(on).await;
    // The same IdP, known by its POST endpoint alone.
    let metadata = world.idp.metadata();
    let start = metadata.find("<md:SingleSignOnService").unwrap();
    let end = start + metadata[start..].find("</md:SingleSignOnService>").unwrap();
    let end = end + "</md:SingleSignOnService>".len();
    assert!(metadata[start..end].contains("HTTP-Redirect"));
    let only_post = format!("{}{}", &metadata[..start], &metadata[end..]);
    assert_eq!(world.add_idp("corp", &only_post, "").await.status, 200);
    let app = world.app("app-one").await;

    let tokens = world.sign_in(&mut world.browser(), &app, "ada").await;

    assert_eq!(tokens.claims["idp"], "corp");
    let journal = world.idp.journal();
    assert!(
        matches!(journal[0], Entry::AuthnRequest { binding: Binding::Post, .. }),
        "{journal:#?}"
    );
}
