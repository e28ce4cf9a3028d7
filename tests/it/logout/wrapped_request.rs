//! Somebody lies in wait between the IdP and `/logout`. The IdP asks to sign bob out, and signs that;
//! whatever is made of it, eve stays signed in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::binding::soap;
use sloop::saml::{EntityId, LogoutRequest, NameId};
use sloop::xml::Element;

use crate::both;
use crate::saml::{ask, forged};
use crate::support::attack::{
    Attack, Family, Target, VICTIM, document, reason, signature, transform, wrapping,
};
use crate::support::browser::{Browser, Page};
use crate::support::forger::Forger;
use crate::support::idp_request::{Answered, send_soap};
use crate::support::mutation::Xml;
use crate::support::rp::RelyingParty;
use crate::support::sink::Sink;
use crate::support::world::{On, World};

struct Ambush {
    world: World,
    forger: Forger,
    app: RelyingParty,
    /// Eve's.
    browser: Browser,
    sink: Sink,
}

impl Ambush {
    async fn on(on: On) -> Self {
        let world = World::on(on).await;
        let (forger, app) = forged(&world).await;
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let said = forger.says(&asked, VICTIM);
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        Self { world, forger, app, browser, sink: Sink::listen().await }
    }

    /// The IdP asks to sign this person out of everything, at this address.
    fn request(&self, name: &str, path: &str) -> Xml {
        let request = LogoutRequest {
            id: Rng::system().saml_id(),
            issue_instant: self.world.clock.now(),
            not_on_or_after: None,
            destination: Some(self.world.url(path)),
            issuer: EntityId::parse(&self.forger.entity_id()).unwrap(),
            name_id: NameId {
                value: name.to_owned(),
                format: None,
                name_qualifier: None,
                sp_name_qualifier: None,
                sp_provided_id: None,
            },
            session_indexes: Vec::new(),
            reason: None,
            asynchronous: false,
        };
        Xml::new(self.forger.signs(&request.to_xml().unwrap()))
    }

    /// None of the attacks signs eve out, by form or by SOAP; then the IdP does.
    async fn withstands(mut self, attacks: &[Family]) {
        for path in [paths::SAML_LOGOUT, paths::SAML_LOGOUT_SOAP] {
            let message = self.request("bob", path);
            let (key, sink) = (self.forger.key(), &self.sink);
            let target = Target { message, signed: "LogoutRequest", key, sink };
            let attacks: Vec<Attack> =
                attacks.iter().flat_map(|attacks| attacks(&target)).collect();
            assert!(attacks.len() >= 8);
            for attack in &attacks {
                let what = &attack.what;
                let read = |root: Element<'_>| LogoutRequest::parse(root).map(|_| ());
                assert_ne!(reason(&attack.message, key, read), "none", "{path} {what}");
                self.deliver(path, &attack.message).await;
                assert_eq!(self.world.logout_count().await, 0, "{path} {what}");
            }
            assert!(self.world.is_signed_in(&mut self.browser, &self.app).await, "{path}");
        }
        assert_eq!(self.sink.connections(), 0, "something was fetched");
        assert!(self.app.received_logout_tokens().is_empty());

        let request = self.request(VICTIM, paths::SAML_LOGOUT);
        self.deliver(paths::SAML_LOGOUT, request.as_str().as_bytes()).await;
        assert!(!self.world.is_signed_in(&mut self.browser, &self.app).await);
        assert_eq!(self.world.logout_count().await, 1);
    }

    /// By a form nobody is told that anything was done.
    async fn deliver(&self, path: &str, message: &[u8]) {
        if path == paths::SAML_LOGOUT_SOAP {
            let Ok(message) = std::str::from_utf8(message) else { return };
            // What stands around bob's request there changes nothing: it is still about bob.
            send_soap(&self.world, &soap::envelope(message)).await;
            return;
        }
        let encoded = STANDARD.encode(message);
        let url = self.world.url(path);
        let mut browser = self.world.browser();
        let page: Page =
            browser.post(&url, &[("SAMLRequest", encoded.as_str())], Some(&self.forger.base)).await;
        assert_eq!(page.location(), None, "{}", page.summary());
    }
}

both!(a_wrapped_request_ends_nothing, wrapped);
async fn wrapped(on: On) {
    Ambush::on(on).await.withstands(&[wrapping::permutations]).await;
}

both!(a_request_that_lost_its_signature_or_has_another_one_ends_nothing, signatures);
async fn signatures(on: On) {
    let attacks = [
        signature::exclusions,
        signature::repetitions,
        signature::shapes,
        signature::duplicate_ids,
        signature::values,
        signature::voids,
    ];
    Ambush::on(on).await.withstands(&attacks).await;
}

both!(nothing_that_its_signature_names_is_followed, named);
async fn named(on: On) {
    Ambush::on(on).await.withstands(&transform::ALL).await;
}

both!(a_request_with_two_readings_ends_nothing, documents);
async fn documents(on: On) {
    Ambush::on(on).await.withstands(&document::ALL).await;
}

both!(a_request_that_is_not_what_the_schema_says_ends_nothing, schema);
async fn schema(on: On) {
    fn changes(target: &Target<'_>) -> Vec<Attack> {
        let bare = target.message.without("LogoutRequest/Signature").with("NameID", VICTIM);
        let name = bare.outer("NameID");
        [
            ("two NameIDs", bare.twice("NameID")),
            ("no NameID", bare.without("NameID")),
            ("a BaseID", bare.substituted("saml:NameID", "saml:BaseID")),
            ("no Issuer", bare.without("Issuer")),
            ("two Issuers", bare.twice("Issuer")),
            ("the Issuer last", bare.without("Issuer").after("NameID", bare.outer("Issuer"))),
            ("no Version", bare.without_attribute("LogoutRequest", "Version")),
            ("no ID", bare.without_attribute("LogoutRequest", "ID")),
            ("no IssueInstant", bare.without_attribute("LogoutRequest", "IssueInstant")),
            ("an element that nobody knows", bare.before("NameID", "<x/>")),
            ("another root", bare.substituted("samlp:LogoutRequest", "samlp:LogoutResponse")),
            ("markup in the NameID", bare.with("NameID", format!("{VICTIM}<x/>"))),
            ("an empty NameID", bare.replaced("NameID", name.with("NameID", " "))),
        ]
        .into_iter()
        .map(|(what, message)| {
            let signed = sloop::xml::sign::sign_enveloped(message.as_str(), target.key, None);
            // What cannot be signed goes as it is.
            Attack::new(what, signed.unwrap_or_else(|_| message.as_str().to_owned()), "")
        })
        .collect()
    }
    Ambush::on(on).await.withstands(&[changes]).await;
}

both!(a_request_that_names_nobody_or_two_is_answered_as_refused, no_name);
async fn no_name(on: On) {
    let mut ambush = Ambush::on(on).await;
    let bare = ambush.request(VICTIM, paths::SAML_LOGOUT_SOAP).without("LogoutRequest/Signature");
    let send = async |ambush: &Ambush, message: &Xml| {
        let signed = ambush.forger.signs(message.as_str());
        let answer = send_soap(&ambush.world, &soap::envelope(&signed)).await;
        Answered::in_envelope(&ambush.world, &answer).await.status()
    };
    for (what, message) in [
        ("two NameIDs", bare.twice("NameID")),
        ("no NameID", bare.without("NameID")),
        ("a BaseID", bare.substituted("saml:NameID", "saml:BaseID")),
        ("an empty NameID", bare.with("NameID", " ")),
    ] {
        assert_eq!(send(&ambush, &message).await, "Requester RequestDenied", "{what}");
        assert_eq!(ambush.world.logout_count().await, 0, "{what}");
        assert!(ambush.world.is_signed_in(&mut ambush.browser, &ambush.app).await, "{what}");
    }
    assert_eq!(send(&ambush, &bare).await, "Success");
    assert!(!ambush.world.is_signed_in(&mut ambush.browser, &ambush.app).await);
}
