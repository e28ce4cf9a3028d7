//! Products that compare every part of the NameID in a LogoutRequest with what they asserted.
//!
//! - AD FS ("does not correspond to the logged-in session participant"): SAML-Toolkits/php-saml issues 70
//!   and 80; one that came without Format must go without: Clever/saml2 issue 220. Logout messages must be
//!   signed (MSIS7084): php-saml issue 424; by the algorithm of the trust: SAML-Toolkits/java-saml issue
//!   130. Issuer without qualifiers: MicrosoftDocs/azure-docs issue 55566. Lower-case escapes: java-saml
//!   issue 225, php-saml issue 251.
//! - Oracle needs the NameID and the SessionIndex: SAML-Toolkits/python-saml pull request 38.
//! - LemonLDAP::NG compares the whole NameID: nextcloud/user_saml issue 371.
//! - A required NameQualifier of a transient NameID (SPID): italia/spid-testenv2 issue 125.

use std::time::Duration;

use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::{EntityId, LogoutRequest, NameId, SessionIndex};

use super::bare;
use crate::both;
use crate::logout::{SignedIn, home, idp_leg, leads_to};
use crate::saml::ask;
use crate::support::forger::{Forger, Sign, by_redirect};
use crate::support::idp_key::{Asked, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::odd_signer::Recipe;
use crate::support::raw_query::{RawParameters, lower};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const RSA_SHA256: &str = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256";
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// Such an IdP, with a logout URL, and an app that knows no other.
async fn connected(world: &World) -> (Forger, RelyingParty) {
    let forger = Forger::new(&world.clock);
    let slo = format!(
        "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
         Location=\"{}/slo\"/><md:SingleSignOnService",
        forger.base
    );
    let metadata = forger.metadata().replacen("<md:SingleSignOnService", &slo, 1);
    assert_eq!(world.add_idp("forged", &metadata, "").await.status, 201);
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    (forger, app)
}

/// Somebody signs in, under this name exactly; with the SessionIndex.
async fn asserted(
    world: &World,
    forger: &Forger,
    app: &RelyingParty,
    name: &NameId,
) -> (SignedIn, SessionIndex) {
    let mut browser = world.browser();
    let (attempt, asked) = ask(forger, &mut browser, app).await;
    let mut said = forger.says(&asked, &name.value);
    // As Keycloak writes it: of its session, and of the client there. Nobody takes it apart.
    said.session_index =
        said.session_index.map(|session| format!("{session}::{}", asked.request.id));
    let plain = forger.signed(&said, Sign::Nothing);
    let start = plain.find("<saml:NameID").unwrap();
    let end = start + plain[start..].find("</saml:NameID>").unwrap();
    let attributes: String = [
        ("Format", &name.format),
        ("NameQualifier", &name.name_qualifier),
        ("SPNameQualifier", &name.sp_name_qualifier),
        ("SPProvidedID", &name.sp_provided_id),
    ]
    .into_iter()
    .filter_map(|(key, value)| value.as_ref().map(|value| format!(" {key}=\"{value}\"")))
    .collect();
    let (before, after) = (&plain[..start], &plain[end..]);
    let xml = format!("{before}<saml:NameID{attributes}>{}{after}", name.value);
    let relay_state = asked.relay_state.as_deref();
    let page = forger.post(world, &mut browser, &forger.enveloped(&xml), relay_state).await;
    let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
    let tokens = app.finish(&attempt, &callback).await.unwrap();
    let index = SessionIndex::parse(&said.session_index.unwrap()).unwrap();
    (SignedIn { browser, tokens }, index)
}

both!(every_part_of_the_name_goes_back_as_it_came_signed_by_sha_256, exactly);
async fn exactly(on: On) {
    let world = World::on(on).await;
    let (forger, app) = connected(&world).await;
    let mut names: Vec<NameId> = (0..16_u32)
        .map(|parts| {
            let part = |bit: u32, text: &str| (parts & (1 << bit) != 0).then(|| text.to_owned());
            NameId {
                format: part(0, UNSPECIFIED),
                name_qualifier: part(1, "http://fs.example.org/adfs/services/trust"),
                sp_name_qualifier: part(2, "https://another.example/sp"),
                sp_provided_id: part(3, "4711"),
                ..bare("ada@example.org")
            }
        })
        .collect();
    let empty = Some(String::new());
    names.push(NameId {
        name_qualifier: empty.clone(),
        sp_name_qualifier: empty,
        format: Some(TRANSIENT.to_owned()),
        ..bare("_of-this-session")
    });
    for name in names {
        let (mut ada, index) = asserted(&world, &forger, &app, &name).await;
        let url = world.logout_url(&app, ada.hint(), "the-state").await;
        let page = ada.browser.get(url.as_str()).await;
        let leaving = page.location().unwrap();
        let (xml, _) = by_redirect(&leaving);
        let asked = Asked::of(&page);
        assert_eq!(asked.request.name_id, name, "{name:?}");
        assert_eq!(asked.request.session_indexes, [index], "{name:?}");
        assert_eq!(asked.at, format!("{}/slo", forger.base));
        let query = leaving.query().unwrap();
        assert!(query.contains(&format!("&SigAlg={RSA_SHA256}&Signature=")), "{query}");
        assert!(xml.contains("<saml:Issuer>"), "no qualifier: {xml}");
        assert!(!ada.is_in(&world, &app).await, "{name:?}");
    }
}

both!(its_lower_case_escapes_are_verified_as_it_wrote_them, lower_case);
async fn lower_case(on: On) {
    let world = World::on(on).await;
    let (forger, app) = connected(&world).await;
    let issuer = EntityId::parse(&forger.entity_id()).unwrap();
    let (key, own) = (IdpKey::of(&forger), forger.key().clone());
    let recipe = Recipe::new(ECDSA_SHA256, move |octets: &[u8]| own.sign_octets(octets).unwrap());
    let slo = world.url(paths::SAML_LOGOUT);
    let name = NameId { format: Some(UNSPECIFIED.to_owned()), ..bare("ada@example.org") };

    let (mut ada, _) = asserted(&world, &forger, &app, &name).await;
    let asked = ada.begin(&world, &app).await;
    let answer = asked.answer(&world, &key).with(|it| it.answer.issuer = issuer.clone());
    let (xml, state) = (answer.unsigned_xml(), Some(asked.relay_state.as_str()));
    let message = RawParameters::message("SAMLResponse", &xml, state, &recipe, lower);
    assert!(message.query().contains("http%3a%2f%2f"), "{}", message.query());
    let page = ada.browser.get(&format!("{slo}?{}", message.query())).await;
    assert_eq!(leads_to(&page), home(&app));
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");

    // And a logout that begins there.
    let (mut ada, index) = asserted(&world, &forger, &app, &name).await;
    let now = world.clock.now();
    let request = LogoutRequest {
        id: Rng::system().saml_id(),
        issue_instant: now,
        not_on_or_after: Some(now.plus(Duration::from_secs(300))),
        destination: Some(slo.clone()),
        issuer,
        name_id: name,
        session_indexes: vec![index],
        reason: None,
        asynchronous: false,
    };
    let xml = request.to_xml().unwrap();
    let message = RawParameters::message("SAMLRequest", &xml, Some("a=b&c"), &recipe, lower);
    // In upper case it is another query, and nobody signed that.
    let rewritten = message.query().replace("%3a", "%3A").replace("%2f", "%2F");
    ada.browser.get(&format!("{slo}?{rewritten}")).await;
    assert!(ada.is_in(&world, &app).await);
    let page = ada.browser.get(&format!("{slo}?{}", message.query())).await;
    let answered = Answered::of(&world, &page).await;
    assert_eq!(
        (answered.status().as_str(), answered.relay_state.as_deref()),
        ("Success", Some("a=b&c"))
    );
    assert!(!ada.is_in(&world, &app).await);
}
