//! A mass of LogoutRequests that no IdP of ours signed: each is refused, nobody is signed out, and not a
//! byte is written. Here some hundred, in `make flood` a hundred thousand (`SLOOP_FORGED`).

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use sloop::clock::Clock;
use sloop::keys::{KeyAlgorithm, SigningKey as KeyPair};
use sloop::mock_idp::{MockIdp, Options};
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::binding::{redirect, soap};
use sloop::saml::{LogoutRequest, MessageKind, PostForm};
use sloop::xml::sign::{SigningKey, sign_enveloped};
use url::form_urlencoded;

use super::connected::{Connected, SignedIn};
use super::{ISSUER, SECRET, Serving, idp_with_key};
use crate::support::wire;

const AT_ONCE: usize = 16;

/// What a stranger can send who knows everything but the key; signed: by a key of their own.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Forgery {
    RedirectUnsigned,
    RedirectSigned,
    PostUnsigned,
    PostSigned,
    SoapUnsigned,
}

use Forgery::{PostSigned, PostUnsigned, RedirectSigned, RedirectUnsigned, SoapUnsigned};

const FORGERIES: [Forgery; 5] =
    [RedirectUnsigned, RedirectSigned, PostUnsigned, PostSigned, SoapUnsigned];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_of_forged_requests_ends_nothing_and_writes_nothing() {
    let [(pair, idp_key), (_, stranger)] = [new_key(), new_key()];
    let world = Connected::to(idp_with_key(Options::default(), &pair).await, SECRET).await;
    let SignedIn { tokens, .. } = world.sign_in("ada").await;
    let Connected { place, serving, idp, app } = &world;
    // What each costs the first time is paid.
    for kind in FORGERIES {
        send(serving, kind.message(idp, &stranger)).await;
    }
    let (before, written) = (serving.cpu_time(), files(place.0.path()));

    let count = count();
    let requests = futures_util::stream::iter(0..count).map(|number| {
        let forgery = FORGERIES[number % FORGERIES.len()].message(idp, &stranger);
        send(serving, forgery)
    });
    requests.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;

    let each = (serving.cpu_time() - before) / u32::try_from(count).unwrap();
    println!("{count} forged LogoutRequests: {} µs of CPU time each", each.as_micros());
    assert!(files(place.0.path()) == written, "something was written");
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200, "ada is signed in");
    assert!(app.logouts().await.unwrap().is_empty());
    assert_eq!(place.json(&["logout", "list", "--json"]), serde_json::json!([]));
    // The twin: the IdP itself asks, with the same words.
    send(serving, PostSigned.message(idp, &idp_key)).await;
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401, "ada is signed out");
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    assert!(files(place.0.path()) != written);
}

impl Forgery {
    /// Right in every part but the signature, and about the person who is signed in.
    fn message(self, idp: &MockIdp, signer: &SigningKey) -> wire::Request {
        let session = idp.sessions().pop().expect("ada is signed in at the IdP");
        let path = match self {
            SoapUnsigned => paths::SAML_LOGOUT_SOAP,
            _ => paths::SAML_LOGOUT,
        };
        let (at, now, kind) =
            (format!("{ISSUER}{path}"), Clock::system().now(), MessageKind::Request);
        let request = LogoutRequest {
            id: Rng::system().saml_id(),
            issue_instant: now,
            not_on_or_after: Some(now.plus(Duration::from_secs(300))),
            destination: Some(at.clone()),
            issuer: idp.entity_id().clone(),
            name_id: session.name_id,
            session_indexes: session.session_index.into_iter().collect(),
            reason: None,
            asynchronous: false,
        };
        let xml = request.to_xml().unwrap();
        match self {
            RedirectUnsigned | RedirectSigned => {
                let key = (self == RedirectSigned).then_some(signer);
                let url = redirect::encode(kind, &xml, None, path, key).unwrap();
                asking("GET", &url, "", "")
            }
            PostUnsigned => by_post(path, &xml),
            PostSigned => by_post(path, &sign_enveloped(&xml, signer, None).unwrap()),
            SoapUnsigned => asking("POST", path, "text/xml", &soap::envelope(&xml)),
        }
    }
}

fn by_post(path: &str, xml: &str) -> wire::Request {
    let form = PostForm::new(MessageKind::Request, xml, None, path);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    asking("POST", path, "application/x-www-form-urlencoded", &body)
}

fn asking(method: &str, target: &str, content_type: &str, body: &str) -> wire::Request {
    let headers = match content_type {
        "" => Vec::new(),
        _ => vec![("content-type".to_owned(), content_type.to_owned())],
    };
    wire::Request {
        method: method.to_owned(),
        target: target.to_owned(),
        host: "localhost:8080".to_owned(),
        headers,
        body: body.to_owned(),
    }
}

async fn send(serving: &Serving, request: wire::Request) -> wire::Response {
    let answer = wire::send(serving.address, request).await;
    // It is answered, whatever the answer says: the chain of the IdP's logout goes on.
    assert!(matches!(answer.status, 200 | 303), "{} {}", answer.status, answer.body);
    answer
}

fn new_key() -> (KeyPair, SigningKey) {
    let pair = KeyPair::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let key = SigningKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap();
    (pair, key)
}

impl Serving {
    /// What the process has used of all processors.
    fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // proc(5): utime and stime are the 14th and 15th, in hundredths of a second; the second, the
        // name in brackets, may have spaces.
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let ticks = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }
}

/// How many there are to be.
#[expect(clippy::disallowed_methods, reason = "`make flood` says how many")]
fn count() -> usize {
    std::env::var("SLOOP_FORGED").map_or(500, |count| count.parse().unwrap())
}

/// Every file of the database, with its bytes. SQLite appends to its log before it answers.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let own = entries.filter(|path| {
        path.extension().is_some_and(|extension| extension == "db" || extension == "db-wal")
    });
    let read = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path.display().to_string(), bytes)
    };
    let mut files: Vec<_> = own.map(read).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}
