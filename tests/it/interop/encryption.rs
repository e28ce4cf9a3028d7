//! Assertions that others encrypt for us: pysaml2 as it does it itself, and Debian's `xmlsec1` with
//! templates of ours.

use super::{browser, only, with_pysaml2};
use crate::both;
use crate::saml::{ask, forged};
use crate::support::forger::Sign;
use crate::support::world::{On, World};
use crate::support::xmlsec1;

both!(pysaml2_encrypts_and_is_told_of_the_logout, pysaml2);
async fn pysaml2(on: On) {
    for arguments in [
        ["--encrypt", "aes256-gcm", "--sign", "assertion", "--self-contained"],
        ["--encrypt", "aes128-gcm", "--sign", "both", "--self-contained"],
        ["--encrypt", "aes256-gcm", "--sign", "response", "--self-contained"],
        // CBC under the signature of the whole Response.
        ["--encrypt", "aes256-cbc", "--sign", "both", "--self-contained"],
    ] {
        let (world, idp) = with_pysaml2(on, &arguments).await;
        let app = world.app("app-one").await;
        let mut browser = browser(&world, &idp);
        let tokens = world.sign_in(&mut browser, &app, "ada").await;
        let issued = only(idp.journal().await.issued("Response")).clone();

        let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

        assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{arguments:?}");
        let journal = idp.journal().await;
        let request = only(journal.received("LogoutRequest"));
        assert_eq!(request.name_id, issued.name_id, "{arguments:?}");
        assert_eq!(request.session_indexes, issued.session_indexes, "{arguments:?}");
        assert_eq!((request.signature_valid, request.matched), (Some(true), Some(true)));
        assert!(journal.sessions.is_empty(), "{arguments:?}");
    }
}

both!(what_pysaml2_encrypts_without_being_told_how_is_refused, pysaml2_default);
async fn pysaml2_default(on: On) {
    for arguments in [
        // Triple DES is its own choice.
        ["--encrypt", "tripledes-cbc", "--sign", "both", "--self-contained"],
        ["--encrypt", "aes256-cbc", "--sign", "assertion", "--self-contained"],
    ] {
        let (world, idp) = with_pysaml2(on, &arguments).await;
        let app = world.app("app-one").await;
        let mut browser = browser(&world, &idp);
        let attempt = app.begin(&[]).await;
        let page = browser.open(attempt.url.as_str()).await;
        let named = browser.submit(&page, &[("user", "ada")]).await;
        let refused = browser.settle(named).await;
        assert_eq!(refused.status, 400, "{arguments:?}: {}", refused.summary());
        assert!(!world.is_signed_in(&mut browser, &app).await, "{arguments:?}");
    }
}

both!(xmlsec1_encrypts_and_we_decrypt, xmlsec1_encrypts);
async fn xmlsec1_encrypts(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let certificate = xmlsec1::pem(&world.encryption_certificate().await);
    for (algorithm, key) in [
        ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128"),
        ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"),
    ] {
        for sign in [Sign::Assertion, Sign::Both] {
            let mut browser = world.browser();
            let (attempt, asked) = ask(&forger, &mut browser, &app).await;
            let signed = forger.signed(&forger.says(&asked, "ada"), Sign::Assertion);
            // xmlsec1 encrypts the element as it is written, so its prefix is declared elsewhere.
            let xml = xmlsec1::encrypt_assertion(&signed, algorithm, key, &certificate);
            assert!(!xml.contains("<saml:Subject"), "{xml}");
            let xml = if sign == Sign::Both { forger.enveloped(&xml) } else { xml };
            let relay_state = asked.relay_state.as_deref();
            let page = forger.post(&world, &mut browser, &xml, relay_state).await;
            let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
            app.finish(&attempt, &callback).await.unwrap();
        }
    }
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let unsigned = forger.signed(&forger.says(&asked, "ada"), Sign::Nothing);
    let gcm = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    let xml = xmlsec1::encrypt_assertion(&unsigned, gcm, "aes-256", &certificate);
    let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;
    assert_eq!((page.status, page.location()), (400, None));
    assert!(!world.is_signed_in(&mut browser, &app).await);
}
