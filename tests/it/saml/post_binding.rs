//! HTTP POST (SAML Bindings 3.5): the forms that we send, and what a form may carry to the ACS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sloop::paths;
use sloop::saml::Binding;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Page;
use crate::support::forger::{Forger, Sign};
use crate::support::html::Form;
use crate::support::idp_key::Asked;
use crate::support::raw_query::deflated;
use crate::support::world::{On, Setting, World};

fn names(form: &Form) -> Vec<&str> {
    form.fields.iter().map(|(name, _)| name.as_str()).collect()
}

/// A form of ours: the message, nothing else, kept out of caches, and sent without any script.
fn is_a_form_of_the_binding(page: &Page, to: &str) -> String {
    assert_eq!(page.status, 200, "{}", page.summary());
    let [form] = <[Form; 1]>::try_from(page.forms()).expect("one form");
    assert_eq!((form.method.as_str(), form.action.as_str()), ("POST", to));
    assert_eq!(names(&form), ["SAMLRequest", "RelayState"], "the button has no name");
    let relay_state = form.field("RelayState").unwrap();
    assert!((1..=80).contains(&relay_state.len()), "{relay_state}");
    assert_eq!(page.body.matches("type=\"hidden\"").count(), 2, "{}", page.body);
    assert_eq!(page.body.matches("<button type=\"submit\">").count(), 1, "{}", page.body);
    let value = form.field("SAMLRequest").unwrap();
    assert!(!value.contains(char::is_whitespace), "{value}");
    let xml = String::from_utf8(STANDARD.decode(value).unwrap()).unwrap();
    assert!(xml.starts_with("<samlp:"), "not compressed: {xml}");
    assert!(xml.contains(&format!("Destination=\"{to}\"")), "{xml}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("pragma"), Some("no-cache"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    let scripts = page.body.matches("<script").count();
    assert_eq!((scripts, page.body.matches(&format!("nonce=\"{nonce}\"")).count()), (1, 1));
    assert!(policy.contains("form-action https:"), "{policy}");
    xml
}

both!(our_forms_are_those_of_the_binding, our_forms);
async fn our_forms(on: On) {
    let slo = sloop::mock_idp::Slo::Post;
    let idp = sloop::mock_idp::Options { slo, ..Default::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let mut forger = Forger::new(&world.clock);
    forger.bindings = vec![Binding::Post];
    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 201);
    let asking = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let page = world.browser().get(asking.begin(&[]).await.url.as_str()).await;
    let xml = is_a_form_of_the_binding(&page, &forger.sso());
    assert!(xml.starts_with("<samlp:AuthnRequest") && xml.contains("<ds:Signature"), "{xml}");

    let app = world.app_with("app-two", json!({"idps": ["corp"]})).await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
    let page = browser.get(url.as_str()).await;
    let xml = is_a_form_of_the_binding(&page, &format!("{}/slo", world.idp_url));
    assert!(xml.starts_with("<samlp:LogoutRequest") && xml.contains("<ds:Signature"), "{xml}");
    // The button does what the script would have done.
    assert_eq!(Asked::of(&page).relay_state.len(), 22);
    let page = browser.submit(&page, &[]).await;
    let end = browser.settle(page).await;
    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    assert_eq!(world.outcomes().await, ["app app-two: confirmed", "IdP corp: confirmed"]);
}

both!(a_value_in_a_form_is_escaped, escaped);
async fn escaped(on: On) {
    let world = World::on(on).await;
    let mut forger = Forger::at("http://localhost:9/a%22b?x=1&y=<'>", &world.clock);
    forger.bindings = vec![Binding::Post];
    // What metadata may hold of it is for its own rules to say; what is in the page is escaped.
    let added = world.add_idp("forged", &forger.metadata(), "").await;
    assert_eq!(added.status, 201, "{}", added.body);
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let page = world.browser().get(app.begin(&[]).await.url.as_str()).await;
    assert!(!page.body.contains("<'>"), "{}", page.body);
    assert_eq!(page.form().action, forger.sso());
}

both!(two_kinds_of_message_in_one_form_sign_nobody_in, both_kinds);
async fn both_kinds(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let xml = STANDARD.encode(forger.signed(&forger.says(&asked, "ada"), Sign::Both));
    let relay_state = asked.relay_state.as_deref().unwrap();
    let acs = world.url(paths::SAML_ACS);
    let right = [("SAMLResponse", xml.as_str()), ("RelayState", relay_state)];
    for at in 0..=right.len() {
        for other in ["", "x", xml.as_str()] {
            let mut fields = right.to_vec();
            fields.insert(at, ("SAMLRequest", other));
            let page = browser.post(&acs, &fields, Some(&forger.base)).await;
            assert_eq!((page.status, page.location()), (400, None), "{at} {other:.8}");
            assert_eq!(page.header("set-cookie"), None, "{at} {other:.8}");
            assert!(!world.is_signed_in(&mut browser, &app).await, "{at} {other:.8}");
        }
    }
    let page = browser.post(&acs, &right, Some(&forger.base)).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(a_field_that_stands_twice_signs_nobody_in, doubled);
async fn doubled(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let xml = STANDARD.encode(forger.signed(&forger.says(&asked, "ada"), Sign::Both));
    let relay_state = asked.relay_state.as_deref().unwrap();
    let acs = world.url(paths::SAML_ACS);
    let right = [("SAMLResponse", xml.as_str()), ("RelayState", relay_state)];
    for (name, value) in right {
        for other in ["", "x", value] {
            for at in 0..=right.len() {
                let mut fields = right.to_vec();
                fields.insert(at, (name, other));
                let page = browser.post(&acs, &fields, Some(&forger.base)).await;
                assert_eq!((page.status, page.location()), (400, None), "{name} {at} {other:.8}");
            }
        }
        assert!(!world.is_signed_in(&mut browser, &app).await, "{name}");
    }
    let page = browser.post(&acs, &right, Some(&forger.base)).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(a_compressed_response_signs_nobody_in, compressed);
async fn compressed(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);
    let relay_state = asked.relay_state.as_deref();
    let fields = [
        ("SAMLResponse", deflated(xml.as_bytes())),
        ("RelayState", relay_state.unwrap().to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = browser.post(&world.url(paths::SAML_ACS), &fields, Some(&forger.base)).await;
    assert_eq!((page.status, page.location()), (400, None), "{}", page.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);
    let page = forger.post(&world, &mut browser, &xml, relay_state).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(a_response_never_comes_by_redirect, by_redirect);
async fn by_redirect(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);
    let relay_state = asked.relay_state.as_deref();
    let acs = world.url(paths::SAML_ACS);
    for message in [deflated(xml.as_bytes()), STANDARD.encode(&xml)] {
        let fields = [("SAMLResponse", message.as_str()), ("RelayState", relay_state.unwrap())];
        let query = crate::support::query::form(&fields);
        let page = browser.get(&format!("{acs}?{query}")).await;
        assert_eq!((page.status, page.header("allow")), (405, Some("POST")), "{}", page.summary());
        assert_eq!((page.location(), page.header("set-cookie")), (None, None));
        // And a POST is not read from its query.
        let page = browser.post(&format!("{acs}?{query}"), &[], Some(&forger.base)).await;
        assert_eq!((page.status, page.location()), (400, None), "{}", page.summary());
        assert!(!world.is_signed_in(&mut browser, &app).await);
    }
    let page = forger.post(&world, &mut browser, &xml, relay_state).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}
