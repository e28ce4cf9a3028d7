//! Answers by the Redirect binding, octet by octet: whatever an IdP's habits are, what it signed is
//! what counts, and what it did not sign never does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::{LogoutResponse, Status};

use super::{SignedIn, home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::idp_key::Asked;
use crate::support::odd_algorithms::Keys;
use crate::support::odd_signer::{RSA_SHA256, Recipe, with_keys};
use crate::support::raw_query::{
    Encoding, RawParameters, bare, deflate, deflated, everything, lower, mixed, upper, zlib,
};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const CONFIRMED: &str = "confirmed (Success, signed)";
const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

/// Somebody stays signed in, and somebody else has begun to sign out: the IdP is asked.
pub(super) struct Scene {
    pub world: World,
    pub app: RelyingParty,
    pub keys: Keys,
    pub ada: SignedIn,
    pub asked: Asked,
    bob: SignedIn,
}

impl Scene {
    pub async fn begin(on: On) -> Self {
        let world = World::on(on).await;
        let keys = Keys::generate();
        let metadata = with_keys(&world.idp.metadata(), &keys.descriptors());
        let added = world.add_idp("corp", &metadata, "").await;
        assert_eq!(added.status, 200, "{}", added.body);
        let app = world.app("app-one").await;
        let bob = signed_in(&world, &app, "bob").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        Self { world, app, keys, ada, asked, bob }
    }

    /// Ada signs in again, and begins to sign out again.
    pub async fn again(&mut self) {
        self.ada = signed_in(&self.world, &self.app, "ada").await;
        self.asked = self.ada.begin(&self.world, &self.app).await;
    }

    /// Success, for what was asked; not signed yet.
    pub fn success(&self) -> LogoutResponse {
        LogoutResponse {
            id: Rng::system().saml_id(),
            issue_instant: self.world.clock.now(),
            destination: Some(self.world.url(paths::SAML_LOGOUT)),
            issuer: self.world.idp.entity_id().clone(),
            in_response_to: self.asked.request.id.clone(),
            status: Status::success(),
        }
    }

    pub fn xml(&self) -> String {
        self.success().to_xml().unwrap()
    }

    pub fn relay_state(&self) -> Option<&str> {
        Some(&self.asked.relay_state)
    }

    /// A right answer, percent-encoded in this way.
    fn good(&self, encoding: Encoding) -> RawParameters {
        let (xml, recipe) = (self.xml(), self.keys.good());
        RawParameters::message("SAMLResponse", &xml, self.relay_state(), &recipe, encoding)
    }

    pub async fn deliver(&mut self, query: &str) -> Page {
        let url = self.world.url(&format!("{}?{query}", paths::SAML_LOGOUT));
        self.ada.browser.get(&url).await
    }

    /// Nothing was believed: the leg is not confirmed, and the person goes on, or reads that there is
    /// nothing to wait for once an earlier answer of that kind has moved them on.
    pub async fn is_not_believed(&self, page: &Page, what: &str) {
        let leg = idp_leg(&self.world).await;
        assert!(leg == "open" || leg.starts_with("unconfirmed"), "{what}: {leg}");
        let pages = self.world.url(paths::LOGOUT_PAGE);
        match page.location() {
            Some(to) if to.as_str() == home(&self.app) => assert_eq!(page.status, 303, "{what}"),
            Some(to) => assert!(to.as_str().starts_with(&pages), "{what}: {to}"),
            None => {
                assert_eq!(page.status, 200, "{what}: {}", page.summary());
                assert_ne!(leg, "open", "{what}: {}", page.summary());
                let told = page.text().contains("It belongs to no sign-out that is waiting");
                assert!(told, "{what}: {}", page.summary());
            }
        }
    }

    /// The right answer still counts, and nobody else was signed out by anything before it.
    pub async fn right_answer_counts(mut self, by: impl AsyncFnOnce(&mut Self) -> Page) {
        let page = by(&mut self).await;
        assert_eq!(leads_to(&page), home(&self.app));
        assert_eq!(idp_leg(&self.world).await, CONFIRMED);
        assert!(self.bob.is_in(&self.world, &self.app).await);
        assert!(!self.ada.is_in(&self.world, &self.app).await);
        assert_eq!(self.world.logout_count().await, 1);
    }

    async fn ends(self) {
        self.right_answer_counts(async |scene| {
            let query = scene.good(upper).query();
            scene.deliver(&query).await
        })
        .await;
    }
}

/// Lets a table of changed queries be refused, and the right one be taken at the end.
async fn refuses(on: On, changes: impl FnOnce(&Scene) -> Vec<(String, String)>) {
    let mut scene = Scene::begin(on).await;
    for (what, query) in changes(&scene) {
        let page = scene.deliver(&query).await;
        scene.is_not_believed(&page, &what).await;
    }
    scene.ends().await;
}

both!(every_habit_of_percent_encoding_is_understood, habits);
async fn habits(on: On) {
    let mut scene = Scene::begin(on).await;
    let all: [(&str, Encoding); 5] = [
        ("upper", upper),
        ("lower, as AD FS and Entra write it", lower),
        ("mixed", mixed),
        ("bare", bare),
        ("everything", everything),
    ];
    for (what, encoding) in all {
        // The same meaning in other octets is not what was signed: somebody encoded it anew.
        let right = scene.good(encoding);
        for (other_what, other) in all {
            for name in ["SAMLResponse", "SigAlg"] {
                let meaning = decoded(right.value(name));
                let changed = right.with(name, &other(&meaning));
                if changed.value(name) == right.value(name) {
                    continue;
                }
                let what = format!("{what}, then {other_what} in {name}");
                let page = scene.deliver(&changed.query()).await;
                scene.is_not_believed(&page, &what).await;
            }
        }
        // How the signature itself is encoded is outside of it.
        let signature = everything(&decoded(right.value("Signature")));
        let right = right.with("Signature", &signature);
        let page = scene.deliver(&right.query()).await;
        assert_eq!(leads_to(&page), home(&scene.app), "{what}");
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED, "{what}");
        scene.again().await;
    }
    // Line breaks in Base64, as some write them, whether the space is `+` or `%20`.
    for (space, other) in [("+", "%20"), ("%20", "+")] {
        let mut message = upper(&deflated(scene.xml().as_bytes()));
        message.insert_str(message.char_indices().nth(8).unwrap().0, space);
        let parts = [
            ("SAMLResponse", message.clone()),
            ("RelayState", upper(&scene.asked.relay_state)),
            ("SigAlg", upper(RSA_SHA256)),
        ];
        let right = RawParameters::signed(&parts, &scene.keys.good(), upper);
        let changed = right.with("SAMLResponse", &message.replacen(space, other, 1));
        let page = scene.deliver(&changed.query()).await;
        scene.is_not_believed(&page, &format!("{space}, then {other}")).await;
        scene.deliver(&right.query()).await;
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED, "{space}");
        scene.again().await;
    }
}

fn decoded(octets: &str) -> String {
    let pair = format!("x={octets}");
    url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned()
}

both!(a_query_that_was_encoded_anew_on_the_way_is_told, encoded_anew);
async fn encoded_anew(on: On) {
    let mut scene = Scene::begin(on).await;
    // A gateway that takes the query apart and writes it again.
    let sent = scene.good(lower).query();
    let pairs: Vec<_> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    let again = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    assert_ne!(sent, again);
    let page = scene.deliver(&again).await;
    scene.is_not_believed(&page, "encoded anew").await;
    let story = scene.world.newest_logout().await;
    let told = story.events.iter().any(|event| {
        event.kind == "logout.answer_refused" && event.detail.contains("encoded the query anew")
    });
    assert!(told, "{story:#?}");
    let page = scene.deliver(&sent).await;
    assert_eq!(leads_to(&page), home(&scene.app));
    assert_eq!(idp_leg(&scene.world).await, CONFIRMED);
}

both!(the_order_in_the_url_is_free_and_strangers_are_ignored, order);
async fn order(on: On) {
    let mut scene = Scene::begin(on).await;
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [1, 2, 3, 0]] {
        let right = scene.good(lower);
        let mut shuffled = RawParameters(order.map(|at: usize| right.0[at].clone()).to_vec());
        for (at, name, octets) in
            [(0, "foo", "1"), (2, "foo", "%3Csamlp"), (4, "utm", ""), (1, "samlresponse", "x")]
        {
            shuffled = shuffled.inserted(at, name, octets);
        }
        let page = scene.deliver(&format!("&{}&&", shuffled.query())).await;
        assert_eq!(leads_to(&page), home(&scene.app), "{order:?}");
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED, "{order:?}");
        scene.again().await;
    }
    // Signed in that other order it is not signed by the rule.
    let right = scene.good(upper);
    let parts: Vec<_> =
        [2, 1, 0].map(|at: usize| (right.0[at].0.as_str(), right.0[at].1.clone())).to_vec();
    let other = RawParameters::signed(&parts, &scene.keys.good(), upper);
    let page = scene.deliver(&other.query()).await;
    scene.is_not_believed(&page, "signed in another order").await;
    scene.deliver(&right.query()).await;
    assert_eq!(idp_leg(&scene.world).await, CONFIRMED);
}

both!(two_kinds_of_message_in_one_query_are_none, both_kinds);
async fn both_kinds(on: On) {
    refuses(on, |scene| {
        let right = scene.good(upper);
        let response = right.value("SAMLResponse").to_owned();
        let request = RawParameters::message(
            "SAMLRequest",
            &scene.xml(),
            scene.relay_state(),
            &scene.keys.good(),
            upper,
        );
        let mut all = Vec::new();
        for at in 0..=right.0.len() {
            for other in ["", "x", response.as_str(), request.value("SAMLRequest")] {
                let query = right.inserted(at, "SAMLRequest", other).query();
                all.push((format!("a request at {at}"), query));
                let query = request.inserted(at, "SAMLResponse", other).query();
                all.push((format!("a response at {at} beside a signed request"), query));
            }
            // Names that a laxer reader takes for the same.
            for name in ["SAML%52equest", "%53AMLRequest", "SAMLReques%74"] {
                all.push((name.to_owned(), right.inserted(at, name, &response).query()));
            }
        }
        all
    })
    .await;
}

both!(a_parameter_that_stands_twice_makes_none, doubled);
async fn doubled(on: On) {
    refuses(on, |scene| {
        let right = scene.good(upper);
        let mut all = Vec::new();
        for name in ["SAMLResponse", "RelayState", "SigAlg", "Signature"] {
            for octets in ["", "x", right.value(name)] {
                for at in [0, right.0.len()] {
                    let query = right.inserted(at, name, octets).query();
                    all.push((format!("{name} again at {at}"), query));
                }
            }
        }
        for at in [0, 4] {
            let once = right.inserted(at, "SAMLEncoding", &upper(DEFLATE));
            all.push((
                "an encoding twice".into(),
                once.inserted(1, "SAMLEncoding", &upper(DEFLATE)).query(),
            ));
        }
        all
    })
    .await;
}

both!(the_relay_state_is_part_of_what_is_signed, relay_state);
async fn relay_state(on: On) {
    refuses(on, |scene| {
        let (xml, good) = (scene.xml(), scene.keys.good());
        let signed =
            |relay_state| RawParameters::message("SAMLResponse", &xml, relay_state, &good, upper);
        let with = signed(scene.relay_state());
        let (without, empty) = (signed(None), signed(Some("")));
        let own = with.value("RelayState").to_owned();
        let other = signed(Some("another"));
        [
            ("removed", with.without("RelayState")),
            ("emptied", with.with("RelayState", "")),
            ("changed", with.with("RelayState", &format!("{own}x"))),
            ("encoded otherwise", with.with("RelayState", &everything(&own))),
            ("added", without.inserted(1, "RelayState", &own)),
            ("added at the end", without.inserted(3, "RelayState", &own)),
            ("added empty", without.inserted(1, "RelayState", "")),
            ("filled", empty.with("RelayState", &own)),
            ("removed where it was empty", empty.without("RelayState")),
            ("put in the place of another", other.with("RelayState", &own)),
        ]
        .map(|(what, parameters)| (what.to_owned(), parameters.query()))
        .to_vec()
    })
    .await;
}

both!(an_answer_without_relay_state_is_signed_without_it, no_relay_state);
async fn no_relay_state(on: On) {
    let mut scene = Scene::begin(on).await;
    for relay_state in [None, Some("")] {
        let (xml, good) = (scene.xml(), scene.keys.good());
        let query = RawParameters::message("SAMLResponse", &xml, relay_state, &good, lower).query();
        let page = scene.deliver(&query).await;
        assert_eq!(leads_to(&page), home(&scene.app), "{relay_state:?}");
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED, "{relay_state:?}");
        scene.again().await;
    }
    scene.deliver(&scene.good(upper).query()).await;
}

both!(half_a_signature_and_a_signature_elsewhere_are_none, half_signed);
async fn half_signed(on: On) {
    refuses(on, |scene| {
        let right = scene.good(upper);
        let response = scene.success();
        let embedded = scene.keys.good().envelope(&response.to_xml().unwrap(), &response.id);
        assert!(embedded.contains("<ds:Signature"));
        let inside = [
            ("SAMLResponse", upper(&deflated(embedded.as_bytes()))),
            ("RelayState", upper(&scene.asked.relay_state)),
        ];
        let signature = right.value("Signature").to_owned();
        [
            ("no SigAlg", right.without("SigAlg")),
            ("no Signature", right.without("Signature")),
            ("neither", right.without("SigAlg").without("Signature")),
            ("an empty SigAlg", right.with("SigAlg", "")),
            ("an empty Signature", right.with("Signature", "")),
            ("both empty", right.with("Signature", "").with("SigAlg", "")),
            (
                "another Signature",
                right.with("Signature", &signature.replacen('A', "B", 1).replacen('a', "b", 1)),
            ),
            ("an XML signature instead", RawParameters::unsigned(&inside)),
            (
                "an XML signature beside half of one",
                RawParameters::unsigned(&inside).inserted(2, "SigAlg", &upper(RSA_SHA256)),
            ),
        ]
        .map(|(what, parameters)| (what.to_owned(), parameters.query()))
        .to_vec()
    })
    .await;
}

both!(only_one_raw_deflate_stream_is_a_message, encodings);
async fn encodings(on: On) {
    // Every one of them is signed well: what is wrong is the encoding alone.
    refuses(on, |scene| {
        let xml = scene.xml();
        let stream = deflate(xml.as_bytes());
        let sign = |bytes: &[u8]| {
            let parts = [
                ("SAMLResponse", upper(&STANDARD.encode(bytes))),
                ("RelayState", upper(&scene.asked.relay_state)),
                ("SigAlg", upper(RSA_SHA256)),
            ];
            RawParameters::signed(&parts, &scene.keys.good(), upper)
        };
        let gzip = [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3][..], &stream].concat();
        let mut all = [
            ("not compressed", sign(xml.as_bytes())),
            ("a zlib header", sign(&zlib(xml.as_bytes()))),
            ("a gzip header", sign(&gzip)),
            ("a byte after it", sign(&[&stream[..], b"\0"].concat())),
            ("a line break after it", sign(&[&stream[..], b"\n"].concat())),
            ("two streams", sign(&[&stream[..], &stream].concat())),
            ("cut short", sign(&stream[..stream.len() - 3])),
            ("compressed twice", sign(&deflate(&stream))),
            ("nothing", sign(b"")),
            ("an empty stream", sign(&deflate(b""))),
        ]
        .map(|(what, parameters)| (what.to_owned(), parameters.query()))
        .to_vec();
        let right = scene.good(upper);
        for encoding in
            ["", "DEFLATE", "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:GZIP", "urn:x"]
        {
            let query = right.inserted(0, "SAMLEncoding", &upper(encoding)).query();
            all.push((format!("the encoding {encoding:?}"), query));
        }
        all
    })
    .await;
}

both!(the_one_encoding_may_be_named, named_encoding);
async fn named_encoding(on: On) {
    let mut scene = Scene::begin(on).await;
    for (at, encoding) in [(0, upper as Encoding), (4, bare)] {
        let query = scene.good(upper).inserted(at, "SAMLEncoding", &encoding(DEFLATE)).query();
        let page = scene.deliver(&query).await;
        assert_eq!(leads_to(&page), home(&scene.app));
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED);
        scene.again().await;
    }
}

both!(a_query_signed_by_any_other_algorithm_proves_nothing, algorithms);
async fn algorithms(on: On) {
    let mut scene = Scene::begin(on).await;
    let message = |scene: &Scene, recipe: &Recipe| {
        let relay_state = scene.relay_state();
        RawParameters::message("SAMLResponse", &scene.xml(), relay_state, recipe, upper).query()
    };
    for (what, recipe) in scene.keys.refused() {
        let query = message(&scene, &recipe);
        let page = scene.deliver(&query).await;
        scene.is_not_believed(&page, &what).await;
    }
    for (what, recipe) in scene.keys.accepted() {
        let query = message(&scene, &recipe);
        let page = scene.deliver(&query).await;
        assert_eq!(leads_to(&page), home(&scene.app), "{what}");
        assert_eq!(idp_leg(&scene.world).await, CONFIRMED, "{what}");
        scene.again().await;
    }
    scene.deliver(&scene.good(upper).query()).await;
}
