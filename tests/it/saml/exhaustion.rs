//! Messages that cost: as large, deep, wide and repeated as they can be. Whatever is beyond a limit is
//! refused, whoever signed it; what is at the limit still signs in.

mod flood;
mod times;

use openssl::nid::Nid;
use sloop::xml::{Limits, c14n, ns, parse};

use super::{ask, forged};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::forger::{Asked, Forger, Said, Sign};
use crate::support::odd_signer::{OddKey, Recipe, ecdsa, place, signature, with_keys};
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::world::{On, World};

const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

/// An IdP with a key that signs whatever it is given, and a browser that waits for its answer.
struct Scene {
    world: World,
    forger: Forger,
    app: RelyingParty,
    by_idp: Recipe,
    browser: Browser,
    attempt: Attempt,
    asked: Asked,
}

impl Scene {
    async fn begin(on: On) -> Self {
        let world = World::on(on).await;
        let (forger, app) = forged(&world).await;
        let key = OddKey::ec(Nid::X9_62_PRIME256V1);
        let metadata = with_keys(&forger.metadata(), &[key.descriptor(Some("signing"))]);
        assert_eq!(world.add_idp("forged", &metadata, "").await.status, 200);
        let by_idp = Recipe::new(ECDSA_SHA256, ecdsa(&key, openssl::hash::MessageDigest::sha256()));
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        Self { world, forger, app, by_idp, browser, attempt, asked }
    }

    fn says(&self) -> (Said, String) {
        let said = self.forger.says(&self.asked, "ada");
        let xml = self.forger.signed(&said, Sign::Nothing);
        (said, xml)
    }

    /// A Response with this in its `samlp:Extensions`, all of it signed.
    fn holding(&self, inside: &str) -> String {
        let (said, xml) = self.says();
        let extensions = format!("<samlp:Extensions>{inside}</samlp:Extensions><samlp:Status>");
        let xml = xml.replacen("<samlp:Status>", &extensions, 1);
        let xml = self.by_idp.envelope(&xml, &said.assertion_id);
        self.by_idp.envelope(&xml, &said.response_id)
    }

    fn good(&self) -> String {
        self.holding("")
    }

    async fn post(&mut self, xml: &str) -> Page {
        let relay_state = self.asked.relay_state.clone();
        self.forger.post(&self.world, &mut self.browser, xml, relay_state.as_deref()).await
    }

    async fn is_refused(&mut self, xml: &str, what: &str) {
        let page = self.post(xml).await;
        assert_eq!((page.status, page.location()), (400, None), "{what}: {}", page.summary());
        assert_eq!(page.header("set-cookie"), None, "{what}");
        assert!(!self.world.is_signed_in(&mut self.browser, &self.app).await, "{what}");
    }

    /// Signs in, and asks anew for the next one.
    async fn signs_in(&mut self, xml: &str, what: &str) {
        let page = self.post(xml).await;
        let callback = page.location().unwrap_or_else(|| panic!("{what}: {}", page.summary()));
        let signed_in = self.app.finish(&self.attempt, &callback).await;
        assert!(signed_in.is_ok(), "{what}: {signed_in:?}");
        self.browser = self.world.browser();
        (self.attempt, self.asked) = ask(&self.forger, &mut self.browser, &self.app).await;
    }
}

/// Fills a document up to a length with what no canonical form has.
fn padded(xml: &str, length: usize) -> String {
    format!("{xml}<!--{}-->", "x".repeat(length - xml.len() - "<!---->".len()))
}

fn nested(depth: usize) -> String {
    format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth))
}

fn attributes(count: usize) -> String {
    (0..count).map(|n| format!(" a{n}=\"\"")).collect()
}

fn namespaces(count: usize) -> String {
    (0..count).map(|n| format!(" xmlns:n{n}=\"urn:x:{n}\"")).collect()
}

both!(every_limit_holds_at_its_number_whoever_signed, limits);
async fn limits(on: On) {
    let mut scene = Scene::begin(on).await;
    let most = Limits::MESSAGE.bytes;
    let good = scene.good();
    scene.is_refused(&padded(&good, most + 1), "a byte too many").await;
    scene.signs_in(&padded(&good, most), "every byte there is").await;
    // The root and samlp:Extensions are two levels.
    let (fits, deeper) = (scene.holding(&nested(46)), scene.holding(&nested(47)));
    scene.is_refused(&deeper, "too deep").await;
    scene.signs_in(&fits, "as deep as may be").await;
    let with = |scene: &Scene, count| scene.holding(&format!("<x{}></x>", attributes(count)));
    let (fits, more) = (with(&scene, 64), with(&scene, 65));
    scene.is_refused(&more, "too many attributes").await;
    scene.signs_in(&fits, "as many attributes as may be").await;
    // `samlp` and `saml` are declared already.
    let with = |scene: &Scene, count: usize| {
        let half = count / 2;
        let (outer, inner) = (namespaces(half), namespaces(count - half).replace(":n", ":m"));
        scene.holding(&format!("<x{outer}><x{inner}></x></x>"))
    };
    let (fits, more) = (with(&scene, 62), with(&scene, 63));
    scene.is_refused(&more, "too many namespaces").await;
    scene.signs_in(&fits, "as many namespaces as may be").await;
    let nodes = parse(good.as_bytes(), &Limits::MESSAGE).unwrap();
    let texts =
        nodes.elements().filter(|element| element.text().is_ok_and(|text| !text.is_empty()));
    let nodes = nodes.elements().count() + texts.count();
    let with = |scene: &Scene, count: usize| scene.holding(&"<x></x>".repeat(count - nodes));
    let (fits, more) = (with(&scene, 20_000), with(&scene, 20_001));
    scene.is_refused(&more, "too many nodes").await;
    scene.signs_in(&fits, "as many nodes as may be").await;
}

both!(many_signatures_and_references_are_refused_however_good_each_is, many);
async fn many(on: On) {
    let mut scene = Scene::begin(on).await;
    let (said, xml) = scene.says();
    let recipe = scene.by_idp.clone();
    let canonical = |xml: &str, id: &str| {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let element = document.elements().find(|e| e.attribute("ID") == Some(id)).unwrap();
        c14n::exclusive(element, None, &[]).unwrap()
    };
    for id in [&said.assertion_id, &said.response_id] {
        let octets = canonical(&xml, id);
        let one = recipe.reference(id, &octets);
        for count in [0, 2, 300] {
            let (info, value) = recipe.signed_info(&one.repeat(count));
            let many = place(&xml, id, &signature(&info, &value));
            scene.is_refused(&many, &format!("{count} references")).await;
        }
        let (info, value) = recipe.signed_info(&one);
        let single = signature(&info, &value);
        for count in [2, 1_000] {
            // Each of them holds: a signature is not part of what it signs.
            let signatures = match count {
                2 => single.repeat(2),
                _ => format!("<ds:Signature xmlns:ds=\"{}\"></ds:Signature>", ns::DS).repeat(count),
            };
            let many = place(&xml, id, &signatures);
            scene.is_refused(&many, &format!("{count} signatures")).await;
        }
    }
    let good = scene.good();
    scene.signs_in(&good, "one signature and one reference each").await;
}

both!(a_document_that_grows_by_its_canonical_form_is_refused, growth);
async fn growth(on: On) {
    let mut scene = Scene::begin(on).await;
    // Declared once and used by siblings, a namespace name of 480 bytes is written at each.
    let name = format!("urn:{}", "x".repeat(476));
    let spread = |count: usize| format!("<p:x xmlns:p=\"{name}\"></p:x>").repeat(count);
    for (count, works) in [(400, false), (50, true)] {
        let (said, xml) = scene.says();
        let with = |inside: &str| {
            let inside = format!("<samlp:Extensions>{inside}</samlp:Extensions><samlp:Status>");
            xml.replacen("<samlp:Status>", &inside, 1)
        };
        let long = with(&format!("<y>{}</y>", spread(count)));
        let short = with(&format!("<y xmlns:p=\"{name}\">{}</y>", "<p:x/>".repeat(count)));
        let document = parse(long.as_bytes(), &Limits::METADATA).unwrap();
        let canonical = c14n::exclusive(document.root(), None, &[]).unwrap();
        assert_eq!(works, canonical.len() < 64 * 1024, "{}", canonical.len());
        assert!(canonical.len() < 220 * 1024 && canonical.len() > 4 * short.len());
        // Both have this canonical form, so one signature is right for both.
        let [short, long] = [short, long]
            .map(|xml| scene.by_idp.envelope_canonical(&xml, &said.response_id, &canonical));
        if works {
            scene.signs_in(&short, "a small one may").await;
        } else {
            scene.is_refused(&short, "it grows").await;
            scene.signs_in(&long, "written out").await;
        }
    }
}
