//! `sloop mock-idp`: the test IdP as app teams run it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::json;
use sloop::mock_idp::Fault;
use url::Url;

use super::{Place, app, declared, open};
use crate::support::wire;

/// A running `sloop mock-idp`. It is killed with this value.
struct Running {
    child: Child,
    /// Such as `http://localhost:8081`.
    base: String,
    said: Vec<String>,
}

impl Running {
    fn start(place: &Place, more: &[&str]) -> Self {
        let arguments = [&["mock-idp", "--listen", "127.0.0.1:0"], more].concat();
        let mut child = place.command(&arguments).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (line_is_there, lines) = mpsc::channel();
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| line_is_there.send(line))
        });
        let mut running = Self { child, base: String::new(), said: Vec::new() };
        running.read_until("Ctrl-C", &lines);
        let metadata = running.said.iter().find_map(|line| line.trim().strip_prefix("metadata"));
        let metadata = metadata.expect("it says where its metadata is").trim();
        running.base = metadata.strip_suffix("/metadata").unwrap().to_owned();
        running
    }

    fn read_until(&mut self, what: &str, lines: &Receiver<String>) {
        while !self.said.iter().any(|line| line.contains(what)) {
            let line = lines.recv_timeout(Duration::from_secs(10));
            self.said.push(line.unwrap_or_else(|_| panic!("no {what:?} in {:?}", self.said)));
        }
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> wire::Response {
        let url = Url::parse(&self.base).unwrap();
        let request = wire::Request {
            method: method.to_owned(),
            target: path.to_owned(),
            host: url.authority().to_owned(),
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.to_owned(),
        };
        wire::send(([127, 0, 0, 1], url.port().unwrap()).into(), request).await
    }

    async fn get(&self, path: &str) -> wire::Response {
        self.send("GET", path, "text/plain", "").await
    }

    async fn post_form(&self, path: &str, form: &str) -> wire::Response {
        self.send("POST", path, "application/x-www-form-urlencoded", form).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("`sloop mock-idp` at {} was left behind", self.base);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_team_sees_a_partial_logout_in_its_own_ci() {
    let app = app("wiki").await;
    let place = Place::new(&declared(&app));
    place.write("secret", super::SECRET);
    let idp = Running::start(&place, &["--user", "carol"]);
    assert!(idp.said.iter().any(|line| line.contains("serves") && line.contains("nobody yet")));
    place.write("metadata/corp.xml", &idp.get("/metadata").await.body);
    let serving = place.serve().await;
    let sp_metadata = serving.get("/saml/metadata", &[]).await.body;
    let told = idp.send("POST", "/sp-metadata", "application/xml", &sp_metadata).await;
    let entity_id = format!("{}/saml/metadata", super::ISSUER);
    assert_eq!(told.json(), json!({ "service_provider": entity_id }));

    let (app, mut browser) = (app.at(serving.provider()), serving.browser());
    let page = browser.open(app.begin(&[]).await.url.as_str()).await;
    assert!(page.text().contains("I am carol") && !page.text().contains("I am ada"));
    let (attempt, page) = open(&mut browser, &app, "carol").await;
    let tokens = app.finish(&attempt, &page.url).await.unwrap();
    let chosen = idp.post_form("/faults", "fault=partial&user=carol&times=1").await;
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    let back = app.post_logout_redirect_uri();
    let parameters =
        [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", &back)];
    let end = browser.open(app.logout_url(&parameters).await.as_str()).await;

    assert_eq!(end.url.as_str(), back, "{}", end.summary());
    let journal = idp.get("/journal").await.json();
    let asked = journal.as_array().unwrap().last().unwrap();
    assert_eq!(asked["event"], "logout_request");
    assert_eq!((&asked["ended"], &asked["faults"]), (&json!(1), &json!(["partial"])));
    let logouts = place.json(&["logout", "list", "--json"]);
    let story = place.json(&["logout", "show", logouts[0]["id"].as_str().unwrap(), "--json"]);
    let legs = story["legs"].as_array().unwrap();
    let leg = legs.iter().find(|leg| leg["party"] == "IdP corp").unwrap();
    assert_eq!(
        (leg["outcome"].as_str(), story["outcome"].as_str()),
        (Some("partial"), Some("partial"))
    );
    assert_eq!(idp.get("/faults").await.json()["in_force"], json!([]), "it was once");
}

#[test]
fn help_names_every_fault_and_what_is_none_is_told_so() {
    let place = Place::new("");
    let help = place.done(&["mock-idp", "--help"]);
    let unknown = place.fails(2, &["mock-idp", "--fault", "no-such-fault"]);
    for fault in Fault::ALL {
        let name = fault.name();
        let line = help.lines().find(|line| line.trim_start().starts_with(name));
        assert!(line.is_some_and(|line| line.contains(fault.says())), "{name}: {help}");
        assert!(unknown.contains(name), "{name}: {unknown}");
    }
    let wrong = place.fails(2, &["mock-idp", "--fault", "slow=later"]);
    assert!(wrong.contains("0 to 3600 seconds"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_as_it_was_told_and_ends_when_it_is_told() {
    let place = Place::new("");
    for (signal, faults) in [("TERM", json!(["post-only"])), ("INT", json!(["post-only"]))] {
        let options =
            ["--entity-id", "urn:example:idp", "--fault", "post-only", "--slo", "redirect"];
        let mut idp = Running::start(&place, &options);
        let metadata = idp.get("/metadata").await.body;
        assert!(metadata.contains("entityID=\"urn:example:idp\""), "{metadata}");
        assert_eq!(metadata.matches("<md:SingleLogoutService").count(), 1);
        assert_eq!(idp.get("/faults").await.json()["in_force"][0]["faults"], faults);
        let pid = idp.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        let ended = tokio::task::spawn_blocking(move || idp.child.wait().unwrap().code());
        let code = tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
        assert_eq!(code, Some(0), "{signal}");
    }
    let idp = Running::start(&place, &["--slo", "none", "--base-url", "http://idp.example:1/"]);
    assert_eq!(idp.base, "http://idp.example:1");
}

#[test]
fn what_cannot_be_started_says_why() {
    let place = Place::new("");
    let exposed = place.fails(2, &["mock-idp", "--listen", "0.0.0.0:0"]);
    assert!(exposed.contains("--allow-remote"), "{exposed}");
    let missing =
        place.fails(1, &["mock-idp", "--listen", "127.0.0.1:0", "--sp-metadata", "sp.xml"]);
    assert!(missing.contains("sp.xml"), "{missing}");
    let user = place.fails(2, &["mock-idp", "--user", "ada lovelace"]);
    assert!(user.contains("letters, digits"), "{user}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = place.fails(1, &["mock-idp", "--listen", &address]);
    assert!(said.contains(&address), "{said}");
}
