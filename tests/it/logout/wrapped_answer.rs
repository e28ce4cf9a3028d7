//! Somebody lies in wait between the IdP and `/logout`. The IdP says that it did not sign the person
//! out, and signs that; whatever is made of it, nobody is told that it did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;
use sloop::saml::{LogoutResponse, Status, StatusCode};

use super::{SignedIn, home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::attack::{
    Attack, Family, Target, document, reason, signature, transform, wrapping,
};
use crate::support::browser::Page;
use crate::support::idp_key::{Asked, By, IdpKey, Message};
use crate::support::mutation::Xml;
use crate::support::rp::RelyingParty;
use crate::support::sink::Sink;
use crate::support::world::{On, World};

struct Ambush {
    world: World,
    key: IdpKey,
    app: RelyingParty,
    sink: Sink,
}

/// A logout that stands where the IdP's answer comes in.
struct Waiting {
    ada: SignedIn,
    asked: Asked,
    /// What the IdP really says: it did not.
    xml: Xml,
}

impl Ambush {
    async fn on(on: On) -> Self {
        let world = World::on(on).await;
        let key = IdpKey::connect(&world).await;
        let app = world.app("app-one").await;
        Self { world, key, app, sink: Sink::listen().await }
    }

    async fn wait(&self) -> Waiting {
        let mut ada = signed_in(&self.world, &self.app, "ada").await;
        let asked = ada.begin(&self.world, &self.app).await;
        let refusal = self.refusal(&asked);
        Waiting { ada, xml: Xml::new(refusal.xml()), asked }
    }

    fn refusal(&self, asked: &Asked) -> Message<'_> {
        let refused = Status { code: StatusCode::Responder, ..Status::success() };
        asked.answer(&self.world, &self.key).with(|it| it.answer.status = refused)
    }

    fn target(&self, waiting: &Waiting) -> Target<'_> {
        let key = self.key.key();
        Target { message: waiting.xml.clone(), signed: "LogoutResponse", key, sink: &self.sink }
    }

    /// None of the attacks makes us say that the IdP signed the person out, or ends anything else;
    /// the browser goes on all the same, and what the IdP really says still counts.
    async fn withstands(&self, attacks: &[Family]) {
        let mut waiting = self.wait().await;
        let logouts = self.world.logout_count().await;
        let target = self.target(&waiting);
        let attacks: Vec<Attack> = attacks.iter().flat_map(|attacks| attacks(&target)).collect();
        assert!(attacks.len() >= 8);
        let refused = self.refused().await;
        for attack in &attacks {
            let what = &attack.what;
            assert_eq!(self.reason(&attack.message), attack.code, "{what}");
            let page = self.post(&mut waiting, &attack.message).await;
            assert_eq!(leads_to(&page), home(&self.app), "{what}: the person goes on");
            let leg = idp_leg(&self.world).await;
            assert!(leg.starts_with("unconfirmed"), "{what}: {leg}");
            // Of any number of refused answers the first is on record.
            assert_eq!(self.refused().await, refused + 1, "{what}");
        }
        assert_eq!(self.world.logout_count().await, logouts);
        assert!(!waiting.ada.is_in(&self.world, &self.app).await);

        let message = waiting.xml.as_str().as_bytes().to_vec();
        let page = self.post(&mut waiting, &message).await;
        assert_eq!(leads_to(&page), home(&self.app));
        assert_eq!(idp_leg(&self.world).await, "refused (Responder, signed)");
        assert_eq!(self.sink.connections(), 0, "something was fetched");
    }

    async fn post(&self, waiting: &mut Waiting, message: &[u8]) -> Page {
        let encoded = STANDARD.encode(message);
        let relay_state = ("RelayState", waiting.asked.relay_state.as_str());
        let fields = [("SAMLResponse", encoded.as_str()), relay_state];
        let url = self.world.url(paths::SAML_LOGOUT);
        waiting.ada.browser.post(&url, &fields, Some(&self.world.idp_url)).await
    }

    async fn refused(&self) -> usize {
        let events = self.world.newest_logout().await.events;
        events.iter().filter(|event| event.kind == "logout.answer_refused").count()
    }

    /// The code for which a message proves nothing.
    fn reason(&self, message: &[u8]) -> &'static str {
        if !matches!(message.first(), Some(b'<' | b' ' | b'\t' | b'\r' | b'\n' | 0xEF)) {
            return "binding.not_xml";
        }
        reason(message, self.key.key(), |root| LogoutResponse::parse(root).map(|_| ()))
    }
}

both!(a_wrapped_answer_proves_nothing, wrapped);
async fn wrapped(on: On) {
    Ambush::on(on).await.withstands(&[wrapping::permutations]).await;
}

both!(an_answer_that_lost_its_signature_proves_nothing, excluded);
async fn excluded(on: On) {
    Ambush::on(on).await.withstands(&[signature::exclusions]).await;
}

both!(a_signature_of_another_shape_proves_nothing, shapes);
async fn shapes(on: On) {
    let attacks =
        [signature::repetitions, signature::shapes, signature::duplicate_ids, signature::values];
    Ambush::on(on).await.withstands(&attacks).await;
}

both!(a_signature_of_nothing_proves_nothing, voids);
async fn voids(on: On) {
    Ambush::on(on).await.withstands(&[signature::voids]).await;
}

both!(nothing_that_a_signature_names_is_followed, named);
async fn named(on: On) {
    Ambush::on(on).await.withstands(&transform::ALL).await;
}

both!(a_document_with_two_readings_proves_nothing, documents);
async fn documents(on: On) {
    Ambush::on(on).await.withstands(&document::ALL).await;
}

both!(an_answer_that_is_not_what_the_schema_says_proves_nothing, schema);
async fn schema(on: On) {
    fn changes(target: &Target<'_>) -> Vec<Attack> {
        let bare = target.message.without("LogoutResponse/Signature");
        let bare = bare.with_attribute(
            "StatusCode",
            "Value",
            "urn:oasis:names:tc:SAML:2.0:status:Success",
        );
        let moved = |what: &str, behind: &str| {
            let element = bare.outer(what);
            bare.without(what).after(behind, element)
        };
        let (repeated, missing) = ("xml.repeated_element", "xml.missing_element");
        let attribute = "xml.missing_attribute";
        [
            ("two Status", bare.twice("Status"), repeated),
            ("no Status", bare.without("Status"), missing),
            ("two StatusCode", bare.twice("StatusCode"), repeated),
            ("no StatusCode", bare.without("StatusCode"), missing),
            ("two Issuer", bare.twice("Issuer"), repeated),
            ("no Issuer", bare.without("Issuer"), missing),
            (
                "no ID of the request",
                bare.without_attribute("LogoutResponse", "InResponseTo"),
                attribute,
            ),
            ("no Version", bare.without_attribute("LogoutResponse", "Version"), attribute),
            ("the Issuer last", moved("Issuer", "Status"), "saml.order"),
            ("an Assertion", bare.after("Status", "<saml:Assertion/>"), "saml.order"),
            ("an element that nobody knows", bare.before("Status", "<x/>"), "saml.order"),
            (
                "another root",
                bare.substituted("samlp:LogoutResponse", "samlp:Response"),
                "saml.wrong_message",
            ),
            (
                "a LogoutRequest",
                bare.substituted("samlp:LogoutResponse", "samlp:LogoutRequest"),
                "saml.wrong_message",
            ),
        ]
        .into_iter()
        .map(|(what, message, code)| {
            let signed =
                sloop::xml::sign::sign_enveloped(message.as_str(), target.key, None).unwrap();
            Attack::new(what, signed, code)
        })
        .collect()
    }
    Ambush::on(on).await.withstands(&[changes]).await;
}

both!(a_value_is_all_of_its_text, values);
async fn values(on: On) {
    let ambush = Ambush::on(on).await;
    let issuer = ambush.world.idp.entity_id().as_str().to_owned();
    // Signed by the IdP's key for another name that begins with its own.
    let mut waiting = ambush.wait().await;
    for form in ["<!-- -->.evil.test", "<![CDATA[.evil.test]]>", "&#46;evil.test"] {
        let answer = waiting.asked.answer(&ambush.world, &ambush.key);
        let bare = Xml::new(answer.unsigned_xml()).with("Issuer", format!("{issuer}.evil.test"));
        let signed =
            sloop::xml::sign::sign_enveloped(bare.as_str(), ambush.key.key(), None).unwrap();
        let message = Xml::new(signed).with("LogoutResponse/Issuer", format!("{issuer}{form}"));
        ambush.post(&mut waiting, message.as_str().as_bytes()).await;
        let leg = idp_leg(&ambush.world).await;
        assert!(leg.starts_with("unconfirmed"), "{form}: {leg}");
    }
    // Its own name, however it is written, is its own name; comments say nothing anywhere.
    let success = Xml::new(waiting.asked.answer(&ambush.world, &ambush.key).xml());
    let (start, end) = issuer.split_at(10);
    let message = success
        .with("LogoutResponse/Issuer", format!("<!-- -->{start}<!-- evil -->{end}"))
        .before("Status", "<!-- <samlp:Status> -->");
    ambush.post(&mut waiting, message.as_str().as_bytes()).await;
    assert_eq!(idp_leg(&ambush.world).await, "confirmed (Success, signed)");
}

both!(an_answer_by_redirect_counts_by_the_signature_of_its_query, redirect);
async fn redirect(on: On) {
    let ambush = Ambush::on(on).await;
    let waiting = ambush.wait().await;
    let mut browser = waiting.ada.browser;
    let refusal = ambush.refusal(&waiting.asked);
    // Success is signed inside, by the IdP, and the query by nobody.
    let success = waiting.asked.answer(&ambush.world, &ambush.key);
    let inside = sloop::saml::binding::redirect::encode(
        sloop::saml::MessageKind::Response,
        &success.xml(),
        Some(&waiting.asked.relay_state),
        &success.at,
        None,
    );
    let signature = refusal.url().split_once("&SigAlg=").unwrap().1.to_owned();
    let inside = inside.unwrap();
    for url in [inside.clone(), format!("{inside}&SigAlg={signature}")] {
        let page = browser.get(&url).await;
        assert_eq!(leads_to(&page), home(&ambush.app), "{url}");
        let leg = idp_leg(&ambush.world).await;
        assert!(leg.starts_with("unconfirmed"), "{leg}");
    }
    let page = success.deliver(&mut browser, By::Redirect).await;
    assert_eq!(leads_to(&page), home(&ambush.app));
    assert_eq!(idp_leg(&ambush.world).await, "confirmed (Success, signed)");
}
