//! Every kind of message that is signed here, judged by Debian's `xmlsec1`, and query signatures by
//! OpenSSL itself: our signer and our verifier must not only agree with each other. Each message has
//! a changed twin that does not hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use openssl::x509::X509;
use sloop::mock_idp::{Options, Sign, Slo};
use url::Url;

use crate::support::browser::{Browser, Page};
use crate::support::rp::RelyingParty;
use crate::support::soap_idp::SoapIdp;
use crate::support::world::{On, Setting, World};
use crate::support::xmlsec1::{pem, verify};

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// The certificate of a metadata document.
fn certificate(metadata: &str) -> String {
    let (_, rest) = metadata.split_once("X509Certificate>").expect("a certificate");
    pem(&STANDARD.decode(rest.split('<').next().unwrap()).unwrap())
}

async fn our_certificate(world: &World) -> String {
    certificate(&world.get("/saml/metadata").await.body)
}

/// The message in the page's form.
pub(super) fn message(page: &Page, field: &str) -> String {
    let form = page.form();
    let value = form.fields.iter().find(|(name, _)| name == field);
    let (_, value) = value.unwrap_or_else(|| panic!("no {field}: {}", page.summary()));
    String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
}

/// `root` is what is signed; the change is inside of it.
fn holds_and_its_twin_does_not(xml: &str, root: &str, from: &str, to: &str, certificate: &str) {
    assert!(xml.contains(&format!("{root} ")), "{xml}");
    assert_eq!(verify(xml, certificate), Ok(()), "{root}");
    let changed = xml.replacen(from, to, 1);
    assert_ne!(changed, xml, "{from} is not in it: {xml}");
    assert!(verify(&changed, certificate).is_err(), "{root} was changed");
}

/// Checks the signature of a query over the bytes as they stand in the URL.
fn query_holds(url: &Url, certificate_pem: &str) -> bool {
    let (signed, signature) = url.query().unwrap().split_once("&Signature=").unwrap();
    let decoded = url.query_pairs().find(|(name, _)| name == "SigAlg").unwrap().1;
    assert_eq!(decoded, RSA_SHA256);
    let signature = url::form_urlencoded::parse(format!("s={signature}").as_bytes())
        .map(|(_, value)| STANDARD.decode(value.as_bytes()).unwrap())
        .next()
        .unwrap();
    let key = X509::from_pem(certificate_pem.as_bytes()).unwrap().public_key().unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap()
}

fn query_holds_and_its_twins_do_not(url: &Url, certificate_pem: &str) {
    assert!(query_holds(url, certificate_pem), "{url}");
    for name in ["RelayState=", "SAMLRe"] {
        assert!(url.query().unwrap().contains(name), "{url}");
    }
    let relay_state = url.query_pairs().find(|(name, _)| name == "RelayState").unwrap().1;
    let other = url.as_str().replace(&*relay_state, &"x".repeat(relay_state.len()));
    assert!(!query_holds(&Url::parse(&other).unwrap(), certificate_pem), "{other}");
    // One character of the message, in the middle of it.
    let at = url.as_str().find("SAMLRe").unwrap() + 60;
    let mut other = url.to_string();
    let letter = if &other[at..=at] == "A" { "B" } else { "A" };
    other.replace_range(at..=at, letter);
    assert!(!query_holds(&Url::parse(&other).unwrap(), certificate_pem), "{other}");
}

/// Goes on until the window is about to leave the service for the IdP, or is at a form for it.
pub(super) async fn leaving_for_the_idp(world: &World, browser: &mut Browser, url: &str) -> Page {
    let page = browser.get(url).await;
    let mut page =
        browser.follow_until(page, |next| next.as_str().starts_with(&world.idp_url)).await;
    while let (None, Some(refresh)) = (page.location(), page.refresh()) {
        let next = browser.click(&page, refresh.as_str()).await;
        page = browser.follow_until(next, |next| next.as_str().starts_with(&world.idp_url)).await;
    }
    page
}

pub(super) async fn signed_in(world: &World) -> (RelyingParty, Browser, String) {
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
    (app, browser, url.to_string())
}

#[tokio::test]
async fn our_metadata() {
    let world = World::on(On::Sqlite).await;
    let xml = world.get("/saml/metadata").await.body;
    let certificate = certificate(&xml);
    holds_and_its_twin_does_not(
        &xml,
        "md:EntityDescriptor",
        "/saml/acs",
        "/saml/acz",
        &certificate,
    );
}

#[tokio::test]
async fn our_authn_request_by_post() {
    let world = World::on(On::Sqlite).await;
    // The IdP takes requests by POST only.
    let redirect = format!(
        "<md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
         Location=\"{}/sso\"/>",
        world.idp_url
    );
    let metadata = world.idp.metadata();
    let by_post = metadata
        .replace(&redirect, "")
        .replace(&redirect.replace("/>", "></md:SingleSignOnService>"), "");
    assert_ne!(by_post, metadata);
    assert_eq!(world.add_idp("corp", &by_post, "").await.status, 200);
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;

    let page = leaving_for_the_idp(&world, &mut browser, attempt.url.as_str()).await;

    let xml = message(&page, "SAMLRequest");
    let certificate = our_certificate(&world).await;
    holds_and_its_twin_does_not(&xml, "samlp:AuthnRequest", "/saml/acs", "/saml/acz", &certificate);
    // And the IdP believes it too.
    let asked = browser.settle(page).await;
    let named = browser.submit(&asked, &[("user", "ada")]).await;
    let callback = browser.settle(named).await.url;
    assert!(app.finish(&attempt, &callback).await.is_ok());
}

#[tokio::test]
async fn our_logout_request_by_post_and_the_idps_answer() {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(On::Sqlite).idp(idp).begin().await;
    let (_app, mut browser, url) = signed_in(&world).await;

    let leaving = leaving_for_the_idp(&world, &mut browser, &url).await;
    let request = message(&leaving, "SAMLRequest");
    let answering = browser.submit(&leaving, &[]).await;
    let response = message(&answering, "SAMLResponse");

    let ours = our_certificate(&world).await;
    let name = "</saml:NameID>";
    holds_and_its_twin_does_not(&request, "samlp:LogoutRequest", name, &format!("x{name}"), &ours);
    let theirs = certificate(&world.idp.metadata());
    let (good, bad) = ("status:Success", "status:Requester");
    holds_and_its_twin_does_not(&response, "samlp:LogoutResponse", good, bad, &theirs);
    assert_ne!(verify(&request, &theirs), Ok(()), "only the right key");
}

#[tokio::test]
async fn the_idps_response_and_its_assertion() {
    for (sign, root) in [
        (Sign::Response, "samlp:Response"),
        (Sign::Both, "samlp:Response"),
        (Sign::Assertion, "saml:Assertion"),
    ] {
        let idp = Options { sign, ..Options::default() };
        let world = Setting::on(On::Sqlite).idp(idp).begin().await;
        let app = world.app("app-one").await;
        let mut browser = world.browser();
        let asked = browser.open(app.begin(&[]).await.url.as_str()).await;
        let answering = browser.submit(&asked, &[("user", "ada")]).await;
        let xml = message(&answering, "SAMLResponse");
        assert_eq!(xml.matches("SignatureValue>").count(), if sign == Sign::Both { 4 } else { 2 });
        let theirs = certificate(&world.idp.metadata());
        holds_and_its_twin_does_not(&xml, root, "ada@", "eve@", &theirs);
        if sign == Sign::Both {
            // The inner one by itself, as it stands once the outer one is cut out.
            let (before, rest) = xml.split_once("<ds:Signature ").unwrap();
            let (_, after) = rest.split_once("</ds:Signature>").unwrap();
            let inner = format!("{before}{after}");
            holds_and_its_twin_does_not(&inner, "saml:Assertion", "ada@", "eve@", &theirs);
        }
    }
}

#[tokio::test]
async fn our_logout_request_by_soap() {
    let world =
        Setting::on(On::Sqlite).idp(Options { slo: Slo::None, ..Options::default() }).begin().await;
    let soap = SoapIdp::connect(&world).await;
    let (_, mut browser, url) = signed_in(&world).await;
    browser.open(&url).await;
    let [heard] = soap.heard().try_into().expect("one request");
    assert!(heard.body.starts_with("<soap:Envelope "), "{}", heard.body);
    holds_and_its_twin_does_not(
        &heard.body,
        "samlp:LogoutRequest",
        "<samlp:SessionIndex>",
        "<samlp:SessionIndex>x",
        &our_certificate(&world).await,
    );
}

#[tokio::test]
async fn our_queries_by_redirect_and_the_idps_answer() {
    let world = World::on(On::Sqlite).await;
    let ours = our_certificate(&world).await;
    let (app, mut browser, url) = signed_in(&world).await;

    let mut another = world.browser();
    let begin = app.begin(&[]).await;
    let leaving = leaving_for_the_idp(&world, &mut another, begin.url.as_str()).await;
    let authn_request = leaving.location().unwrap();
    assert!(authn_request.as_str().contains("/sso?SAMLRequest="), "{authn_request}");
    query_holds_and_its_twins_do_not(&authn_request, &ours);

    let leaving = leaving_for_the_idp(&world, &mut browser, &url).await;
    let logout_request = leaving.location().unwrap();
    assert!(logout_request.as_str().contains("/slo?SAMLRequest="), "{logout_request}");
    query_holds_and_its_twins_do_not(&logout_request, &ours);

    let answering = browser.hop(leaving).await;
    let answer = answering.location().unwrap();
    assert!(answer.as_str().contains("/logout?SAMLResponse="), "{answer}");
    let theirs = certificate(&world.idp.metadata());
    query_holds_and_its_twins_do_not(&answer, &theirs);
    assert!(!query_holds(&answer, &ours));
}

#[tokio::test]
async fn the_idps_own_logout_request_and_our_answer() {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(On::Sqlite).idp(idp).begin().await;
    let (ours, theirs) = (our_certificate(&world).await, certificate(&world.idp.metadata()));
    let (app, begin) = (world.app("app-one").await, format!("{}/logout", world.idp_url));
    for (fault, from, to) in [
        ("", "</saml:NameID>", "x</saml:NameID>"),
        ("encrypted-name-id", "</saml:EncryptedID>", "<x/></saml:EncryptedID>"),
    ] {
        let mut browser = world.browser();
        world.sign_in(&mut browser, &app, "ada").await;
        let fields = [("by", "post"), ("fault", fault)];
        let leaving = browser.post(&begin, &fields, Some(&world.idp_url)).await;
        let request = message(&leaving, "SAMLRequest");
        holds_and_its_twin_does_not(&request, "samlp:LogoutRequest", from, to, &theirs);
        let answering = browser.submit(&leaving, &[]).await;
        let response = message(&answering, "SAMLResponse");
        let (good, bad) = ("status:Success", "status:Requester");
        holds_and_its_twin_does_not(&response, "samlp:LogoutResponse", good, bad, &ours);
    }
    for fault in ["", "lower-case-percent"] {
        let mut browser = world.browser();
        world.sign_in(&mut browser, &app, "ada").await;
        let fields = [("by", "redirect"), ("fault", fault)];
        let leaving = browser.post(&begin, &fields, Some(&world.idp_url)).await;
        query_holds_and_its_twins_do_not(&leaving.location().unwrap(), &theirs);
    }
}
