//! Costly documents of strangers, many of them, and damaged ones: nobody is signed in, nothing stays, and
//! everybody else is served.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;
use sloop::xml::ns;

use super::{Scene, attributes, namespaces, nested};
use crate::both;
use crate::support::forger::Sign;
use crate::support::raw_query::{deflated, upper};
use crate::support::wire;
use crate::support::world::{On, World};

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
