//! Messages that cost: as large, deep, wide and repeated as they can be. Whatever is beyond a limit is
//! refused, whoever signed it; what is at the limit still signs in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::nid::Nid;
use sloop::paths;
use sloop::xml::{Limits, c14n, ns, parse};

use super::{ask, forged};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::forger::{Asked, Forger, Said, Sign};
use crate::support::odd_signer::{OddKey, Recipe, ecdsa, place, signature, with_keys};
use crate::support::raw_query::{deflated, upper};
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::wire;
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

/// Documents that nobody signed, of about 200 KB, each costly in its own way.
fn floods() -> Vec<(&'static str, String)> {
    let root = |inside: &str| format!("<samlp:Response xmlns:samlp=\"{}\">{inside}", ns::SAMLP);
    let declared = namespaces(60);
    let prefixed: String = (0..60).map(|n| format!(" n{n}:a=\"\"")).collect();
    let ids: String = (0..15_000).map(|n| format!("<x ID=\"{n}\"/>")).collect();
    let references = "<ds:Reference URI=\"#x\"/>".repeat(8_000);
    vec![
        ("nested", nested(25_000)),
        ("nested and never closed", "<x>".repeat(60_000)),
        ("attributes", format!("<x{}/>", attributes(20_000))),
        ("declarations", format!("<x{}/>", namespaces(7_000))),
        (
            "one declaration each",
            root(&(0..7_000).map(|n| format!("<x xmlns:a=\"urn:x:{n}\"/>")).collect::<String>()),
        ),
        (
            "nested declarations",
            (0..5_000).map(|n| format!("<x xmlns:n{n}=\"urn:x:{n}\">")).collect(),
        ),
        ("elements", root(&"<x/>".repeat(50_000))),
        ("texts", root(&"<x/>y".repeat(40_000))),
        ("references", root(&"&amp;".repeat(40_000))),
        ("comments", root(&"<!---->x".repeat(25_000))),
        ("sections", root(&"<![CDATA[x]]>".repeat(15_000))),
        ("64 attributes each", root(&format!("<x{}/>", attributes(64)).repeat(350))),
        ("60 prefixes each", format!("<x{declared}>{}", format!("<x{prefixed}/>").repeat(330))),
        ("IDs", root(&ids)),
        ("signatures", root(&format!("<ds:Signature xmlns:ds=\"{}\"/>", ns::DS).repeat(3_000))),
        (
            "references of a signature",
            root(&format!("<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo>{references}", ns::DS)),
        ),
        ("a name", format!("<{}/>", "x".repeat(200_000))),
        ("a prefix list", format!("<x PrefixList=\"{}\"/>", "a ".repeat(100_000))),
        (
            "an entity in an entity",
            format!(
                "<!DOCTYPE x [{}]><x>&e9;</x>",
                (0..10)
                    .map(|n| format!("<!ENTITY e{} \"{}\">", n + 1, format!("&e{n};").repeat(10)))
                    .collect::<String>()
            ),
        ),
        (
            "an entity that is large",
            format!(
                "<!DOCTYPE x [<!ENTITY a \"{}\">]><x>{}</x>",
                "a".repeat(50_000),
                "&a;".repeat(40_000)
            ),
        ),
    ]
}

both!(costly_documents_sign_nobody_in_and_end_nothing, costly);
async fn costly(on: On) {
    let mut scene = Scene::begin(on).await;
    for (what, xml) in floods() {
        assert!((500..256 * 1024).contains(&xml.len()), "{what}: {}", xml.len());
        scene.is_refused(&xml, what).await;
        let logout = scene.world.url(paths::SAML_LOGOUT);
        let encoded = STANDARD.encode(&xml);
        let form = [("SAMLResponse", encoded.as_str())];
        let page = scene.browser.post(&logout, &form, Some(&scene.forger.base)).await;
        assert_eq!((page.status, page.location()), (200, None), "{what}: {}", page.summary());
        let query = upper(&deflated(xml.as_bytes()));
        if query.len() < 15_000 {
            let page = scene.browser.get(&format!("{logout}?SAMLResponse={query}")).await;
            assert_eq!((page.status, page.location()), (200, None), "{what}: {}", page.summary());
        }
        let refused = scene.world.add_idp("flood", &xml, "").await;
        assert_eq!(refused.status, 400, "{what}: {}", refused.body);
    }
    // Metadata may be longer, and not deeper or wider.
    let long = format!("<md:EntityDescriptor xmlns:md=\"{}\"{}/>", ns::MD, attributes(80_000));
    let deep = "<x>".repeat(100_000);
    for xml in [long, deep] {
        let refused = scene.world.add_idp("flood", &xml, "").await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
    assert_eq!(scene.world.logout_count().await, 0);
    let good = scene.good();
    scene.signs_in(&good, "the good one").await;
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

const TIMES: [&str; 22] = [
    "9999999999-01-01T00:00:00Z",
    "99999-12-31T23:59:59Z",
    "+12026-01-01T00:00:00Z",
    "-2026-01-01T00:00:00Z",
    "-9999-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "2026-01-01T00:61:00Z",
    "2026-01-01T00:00:99Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01",
    "00:00:00Z",
    "1767225600",
    "0x7fffffffffffffff",
    "9223372036854775807",
    "now",
    "",
    " ",
    "2026-01-01T00:00:00Z2026-01-01T00:00:00Z",
    "２０２６-01-01T00:00:00Z",
];

both!(times_that_are_none_sign_nobody_in, times);
async fn times(on: On) {
    let mut scene = Scene::begin(on).await;
    let (said, xml) = scene.says();
    let fraction = format!("2026-01-01T00:00:00.{}Z", "9".repeat(10_000));
    let zeros = format!("{}2026-01-01T00:00:00Z", "0".repeat(10_000));
    let spaces = format!("2026-01-01T00:00:00{}Z", " ".repeat(10_000));
    for time in TIMES.iter().copied().chain([fraction.as_str(), &zeros, &spaces]) {
        for name in ["NotBefore", "NotOnOrAfter", "AuthnInstant", "SessionNotOnOrAfter"] {
            let changed = match name {
                "SessionNotOnOrAfter" => xml.replacen(
                    "AuthnInstant=",
                    &format!("SessionNotOnOrAfter=\"{time}\" AuthnInstant="),
                    1,
                ),
                _ => with_time(&xml, name, time),
            };
            let signed = scene.by_idp.envelope(&changed, &said.response_id);
            let page = scene.post(&signed).await;
            let what = format!("{name} {time:.40}");
            assert_eq!((page.status, page.location()), (400, None), "{what}: {}", page.summary());
        }
        assert!(!scene.world.is_signed_in(&mut scene.browser, &scene.app).await, "{time:.40}");
        let metadata = scene.forger.metadata().replacen(
            "<md:EntityDescriptor ",
            &format!("<md:EntityDescriptor validUntil=\"{time}\" "),
            1,
        );
        let refused = scene.world.add_idp("forged", &metadata, "").await;
        assert_eq!(refused.status, 400, "{time:.40}: {}", refused.body);
    }
    let good = scene.good();
    scene.signs_in(&good, "the good one").await;
}

/// With another value in every attribute of this name.
fn with_time(xml: &str, name: &str, time: &str) -> String {
    let start = format!(" {name}=\"");
    let mut parts = xml.split(&start);
    let mut changed = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        changed.push_str(&format!("{start}{time}\"{rest}"));
    }
    assert_ne!(changed, xml, "{name}");
    changed
}

both!(damaged_messages_hurt_nobody_else, damaged);
async fn damaged(on: On) {
    let mut scene = Scene::begin(on).await;
    let good = scene.good();
    let mut damaged = Vec::new();
    for step in 1..120 {
        let at = good.len() * step / 120;
        let at = (at..).find(|at| good.is_char_boundary(*at)).unwrap();
        damaged.push(good[..at].to_owned());
        damaged.push(good[at..].to_owned());
        for byte in ["<", "\0", "&", "\"", "]]>", "<!--", "\u{FEFF}"] {
            damaged.push(format!("{}{byte}{}", &good[..at], &good[at..]));
        }
    }
    let relay_state = scene.asked.relay_state.clone().unwrap();
    let (world, acs) = (&scene.world, paths::SAML_ACS);
    let form = |xml: &str| {
        crate::support::query::form(&[
            ("SAMLResponse", &STANDARD.encode(xml)),
            ("RelayState", &relay_state),
        ])
    };
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    for batch in damaged.chunks(24) {
        let bodies: Vec<String> = batch.iter().map(|xml| form(xml)).collect();
        let sent = bodies.iter().map(|body| world.request("POST", acs, &kind, body));
        for answer in futures_util::future::join_all(sent).await {
            // Without the browser's cookies even an undamaged one would sign nobody in.
            assert!(matches!(answer.status, 400 | 303), "{}: {}", answer.status, answer.body);
            assert!(answer.headers_named("set-cookie").next().is_none());
        }
        assert_eq!(world.get("/healthz").await.status, 200);
    }
    assert!(!scene.world.is_signed_in(&mut scene.browser, &scene.app).await);
    scene.signs_in(&good, "the good one").await;
}

both!(others_are_served_during_a_flood_of_large_documents, flood);
async fn flood(on: On) {
    let mut scene = Scene::begin(on).await;
    let costly = floods();
    let worst = costly
        .iter()
        .filter(|(what, _)| matches!(*what, "60 prefixes each" | "64 attributes each"));
    let bodies: Vec<String> = worst
        .map(|(_, xml)| crate::support::query::form(&[("SAMLResponse", &STANDARD.encode(xml))]))
        .collect();
    let address = scene.world.address;
    let send = |body: &str| wire::Request {
        method: "POST".into(),
        target: paths::SAML_ACS.into(),
        host: format!("localhost:{}", address.port()),
        headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded".into())],
        body: body.to_owned(),
    };
    let flood: Vec<_> = (0..16)
        .map(|n| tokio::spawn(wire::send(address, send(&bodies[n % bodies.len()]))))
        .collect();
    let mut served = 0;
    while !flood.iter().all(tokio::task::JoinHandle::is_finished) && served < 200 {
        // Generous: other tests run beside this one.
        let healthy = tokio::time::timeout(Duration::from_secs(10), scene.world.get("/healthz"));
        assert_eq!(healthy.await.expect("an answer in time").status, 200);
        served += 1;
    }
    assert!(served >= 1);
    let good = scene.good();
    scene.signs_in(&good, "beside the flood").await;
    for answer in flood {
        // Or it was not its turn in time, on a machine as busy as this one.
        let answer = answer.await.unwrap();
        assert!(matches!(answer.status, 400 | 503), "{}: {}", answer.status, answer.body);
    }
}

/// Rows of what lives for a while, and of what is kept for ever.
fn rows(world: &World) -> i64 {
    let path = world.folder().join("sloop.db");
    let database = rusqlite::Connection::open(path).unwrap();
    let tables = ["authn_request", "held_sign_in", "seen_assertion", "logout_question", "audit"];
    let count = |table: &&str| {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        database.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    tables.iter().map(count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_send_leaves_nothing_that_stays() {
    let mut scene = Scene::begin(On::Sqlite).await;
    let before = rows(&scene.world);
    // Answers to questions that nobody asked are not remembered, whatever they name.
    for n in 0..100 {
        let mut said = scene.forger.says(&scene.asked, "ada");
        said.in_response_to = Some(format!("_unknown{n}"));
        let xml = scene.forger.signed(&said, Sign::Both);
        let state = format!("state-{n}");
        let page = scene.forger.post(&scene.world, &mut scene.browser, &xml, Some(&state)).await;
        assert_eq!(page.status, 400, "{}", page.summary());
        let message = upper(&deflated(xml.as_bytes()));
        let query = format!("SAMLResponse={message}&RelayState={state}");
        let page = scene.world.get(&format!("{}?{query}", paths::SAML_LOGOUT)).await;
        assert_eq!(page.status, 200, "{}", page.body);
    }
    assert_eq!(rows(&scene.world), before);
    // Questions that nobody answers are remembered until they are too old.
    for _ in 0..40 {
        scene.world.browser().get(scene.app.begin(&[]).await.url.as_str()).await;
    }
    assert_eq!(rows(&scene.world), before + 40);
    scene.world.clock.advance(Duration::from_secs(3_601));
    scene.world.use_cases().clean_up().await.unwrap();
    // The scene's own question was the one before them.
    assert_eq!(rows(&scene.world), before - 1);
}
