//! HTTP Redirect (SAML Bindings 3.4) as we write it: what an IdP gets, octet by octet.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::sign::Verifier;
use openssl::x509::X509;
use sloop::mock_idp::{Options, Slo};
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::Binding;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Page;
use crate::support::forger::{Forger, Sign};
use crate::support::idp_key::Asked;
use crate::support::odd_signer::{OddKey, RSA_SHA256, Recipe, ecdsa, with_keys};
use crate::support::raw_query::upper;
use crate::support::world::{On, Setting, World};

const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

/// Checks everything that the binding says of a query, with nothing of ours but the certificate.
async fn is_a_query_of_the_binding(world: &World, page: &Page, endpoint: &str) -> String {
    assert_eq!(page.status, 303, "{}", page.summary());
    let cache = page.header("cache-control").unwrap();
    assert!(cache.contains("no-store"), "{cache}");
    assert_eq!(page.header("pragma"), Some("no-cache"));
    let location = page.header("location").unwrap();
    let query = location.strip_prefix(endpoint).unwrap_or_else(|| panic!("{location}"));
    // What the endpoint has already stays as it is; ours is appended.
    let query = query.strip_prefix(if endpoint.contains('?') { '&' } else { '?' }).unwrap();
    let pairs: Vec<(&str, &str)> = query.split('&').map(|p| p.split_once('=').unwrap()).collect();
    let [
        ("SAMLRequest", message),
        ("RelayState", relay_state),
        ("SigAlg", algorithm),
        ("Signature", signature),
    ] = pairs[..]
    else {
        panic!("{query}");
    };
    assert_eq!(algorithm, upper(RSA_SHA256));
    assert!((1..=80).contains(&relay_state.len()), "{relay_state}");
    let base64 = |octets: &str| {
        let pair = format!("x={octets}");
        let text = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
        assert!(!text.contains(char::is_whitespace), "{text}");
        STANDARD.decode(text).unwrap()
    };
    // The octets that are sent are those that are signed.
    let signed = query.split("&Signature=").next().unwrap();
    let metadata = world.get(paths::SAML_METADATA).await.body;
    let certificate = metadata.split("X509Certificate>").nth(1).unwrap().split('<').next().unwrap();
    let certificate = X509::from_der(&STANDARD.decode(certificate).unwrap()).unwrap();
    let key = certificate.public_key().unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    assert!(verifier.verify_oneshot(&base64(signature), signed.as_bytes()).unwrap(), "{query}");
    // Raw DEFLATE: no header of zlib, one stream, nothing after it.
    let compressed = base64(message);
    let mut xml = String::new();
    let mut stream = flate2::bufread::DeflateDecoder::new(&compressed[..]);
    stream.read_to_string(&mut xml).unwrap();
    assert!(stream.into_inner().is_empty());
    assert!(xml.starts_with("<samlp:") && !xml.contains("Signature"), "{xml}");
    assert!(xml.contains(&format!("Destination=\"{}\"", endpoint.replace('&', "&amp;"))), "{xml}");
    xml
}

both!(our_queries_are_those_of_the_binding, our_queries);
async fn our_queries(on: On) {
    let idp = Options { slo: Slo::Redirect, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let own = world.idp.metadata();
    for more in ["", "?tenant=1&amp;x=", "?tenant=%2f+a"] {
        let there = |name: &str| {
            let path = format!("Location=\"{}/{name}", world.idp_url);
            (format!("{path}\""), format!("{path}{more}\""))
        };
        let metadata = ["sso", "slo"].iter().fold(own.clone(), |metadata, name| {
            let (from, to) = there(name);
            assert!(metadata.contains(&from), "{metadata}");
            metadata.replace(&from, &to)
        });
        let added = world.add_idp("corp", &metadata, "").await;
        assert_eq!(added.status, 200, "{}", added.body);
        let more = more.replace("&amp;", "&");
        let app = world.app(&format!("app-{}", more.len())).await;

        let mut browser = world.browser();
        let attempt = app.begin(&[]).await;
        let page = browser.get(attempt.url.as_str()).await;
        let sso = format!("{}/sso{more}", world.idp_url);
        let xml = is_a_query_of_the_binding(&world, &page, &sso).await;
        assert!(xml.starts_with("<samlp:AuthnRequest"), "{xml}");
    }
}

both!(a_query_of_a_logout_is_one_of_the_binding, logout_query);
async fn logout_query(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for more in ["", "?tenant=1"] {
        let path = format!("Location=\"{}/slo", world.idp_url);
        let metadata =
            world.idp.metadata().replace(&format!("{path}\""), &format!("{path}{more}\""));
        assert_eq!(world.add_idp("corp", &metadata, "").await.status, 200);
        let mut browser = world.browser();
        let tokens = world.sign_in(&mut browser, &app, "ada").await;
        let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
        let page = browser.get(url.as_str()).await;
        let slo = format!("{}/slo{more}", world.idp_url);
        let xml = is_a_query_of_the_binding(&world, &page, &slo).await;
        assert!(xml.starts_with("<samlp:LogoutRequest"), "{xml}");
    }
}

both!(an_endpoint_that_would_break_the_message_is_refused, bad_endpoints);
async fn bad_endpoints(on: On) {
    let world = World::on(on).await;
    let (forger, _) = forged(&world).await;
    let good = forger.metadata();
    for (more, accepted) in [
        ("#fragment", false),
        ("?x=1#", false),
        ("?SAMLRequest=x", false),
        ("?a=1&amp;SAMLResponse=", false),
        ("?relaystate=x", false),
        ("?sigalg", false),
        ("?Signature=x", false),
        ("?SAML%52equest=x", false),
        ("?tenant=1", true),
        ("?a=b&amp;c=d%26e", true),
    ] {
        let metadata = good.replace("/sso\"", &format!("/sso{more}\""));
        assert_ne!(metadata, good);
        let answer = world.add_idp("forged", &metadata, "").await;
        let expected = if accepted { 200 } else { 400 };
        assert_eq!(answer.status, expected, "{more}: {}", answer.body);
        if !accepted {
            assert!(answer.body.contains("SingleSignOnService"), "{more}: {}", answer.body);
        }
    }
}

/// Text of this length that no compression shortens.
fn noise(length: usize) -> String {
    let rng = Rng::system();
    let mut text = String::new();
    while text.len() < length {
        text.push_str(rng.handle().expose());
    }
    text.truncate(length);
    text
}

both!(a_long_question_goes_by_post_where_that_is_offered, long_authn_request);
async fn long_authn_request(on: On) {
    let world = World::on(on).await;
    let (mut forger, app) = forged(&world).await;
    let long: Vec<String> = (0..8).map(|_| noise(500)).collect();
    let long = long.join(" ");
    // The address itself is the other half of what makes a URL long.
    let far = format!("{}?tenant={}", forger.sso(), noise(2_000));
    let both = [Binding::Redirect, Binding::Post];
    for (bindings, acr, by_post) in
        [(&both[..], "urn:x:short", false), (&both, &long, true), (&both[..1], &long, false)]
    {
        forger.bindings = bindings.to_vec();
        let metadata = forger.metadata();
        let metadata = metadata.replacen(&format!("{}\"", forger.sso()), &format!("{far}\""), 1);
        assert_eq!(world.add_idp("forged", &metadata, "").await.status, 200);
        let mut browser = world.browser();
        let attempt = app.begin(&[("acr_values", acr)]).await;
        let page = browser.get(attempt.url.as_str()).await;
        assert_eq!(page.location().is_none(), by_post, "{}", page.summary());
        let asked = forger.asked(&page);
        assert_eq!(asked.request.requested_authn_context.join(" "), acr);
        match page.location() {
            Some(url) => {
                assert_eq!(asked.request.destination, far);
                // Without another way it is tried, as long as it is.
                assert_eq!(url.as_str().len() > 7 * 1024, bindings.len() == 1);
            }
            None => {
                assert_eq!(asked.request.destination, forger.sso());
                assert!(asked.xml.contains("<ds:Signature"), "{}", asked.xml);
            }
        }
        let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
        app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    }
}

both!(a_long_logout_goes_by_post_where_that_is_offered, long_logout_request);
async fn long_logout_request(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let key = OddKey::ec(Nid::X9_62_PRIME256V1);
    let by_key = Recipe::new(ECDSA_SHA256, ecdsa(&key, MessageDigest::sha256()));
    let slo = |binding: Binding, path: &str| {
        let (binding, base) = (binding.uri(), &forger.base);
        format!("<md:SingleLogoutService Binding=\"{binding}\" Location=\"{base}/{path}\"/>")
    };
    let redirect = slo(Binding::Redirect, "slo");
    let both = format!("{redirect}{}", slo(Binding::Post, "slo/by-post"));
    for (offered, indexes, by_post) in
        [(&both, 1, false), (&both, 16, true), (&redirect, 16, false), (&String::new(), 16, true)]
    {
        let mut other = Forger::new(&world.clock);
        // Without a logout URL it goes to the login URL, by whatever that offers.
        other.bindings = vec![Binding::Redirect, Binding::Post];
        let metadata = with_keys(&other.metadata(), &[key.descriptor(None)]);
        let metadata = metadata.replacen(
            "<md:SingleSignOnService",
            &format!("{offered}<md:SingleSignOnService"),
            1,
        );
        let added = world.add_idp("forged", &metadata, "").await;
        assert_eq!(added.status, 200, "{}", added.body);
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let said = forger.says(&asked, "ada");
        let xml = forger.signed(&said, Sign::Nothing);
        let instant = world.clock.now();
        let more: String = (1..indexes)
            .map(|_| {
                let index = noise(500);
                format!(
                    "<saml:AuthnStatement AuthnInstant=\"{instant}\" SessionIndex=\"{index}\"/>"
                )
            })
            .collect();
        let xml = xml.replacen("<saml:AuthnStatement", &format!("{more}<saml:AuthnStatement"), 1);
        let xml = by_key.envelope(&xml, &said.assertion_id);
        let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();

        let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
        let page = browser.get(url.as_str()).await;

        let asked = Asked::of(&page);
        assert_eq!(asked.session_indexes().len(), indexes);
        assert_eq!(asked.request.destination.as_deref(), Some(asked.at.as_str()));
        let length = page.location().map(|url| url.as_str().len());
        assert_eq!(length.is_none(), by_post, "{}", page.summary());
        let path = match (by_post, offered.is_empty()) {
            (true, true) => "sso",
            (true, false) => "slo/by-post",
            (false, _) => "slo",
        };
        assert_eq!(asked.at, format!("{}/{path}", forger.base));
        // Without another way it is tried, as long as it is.
        assert!(length.is_none_or(|length| (length > 7 * 1024) == (indexes > 1)), "{length:?}");
        assert!(!world.is_signed_in(&mut browser, &app).await);
    }
}
