//! Metadata that is looked for again at the URL where it came from.

use std::time::Duration;

use serde_json::Value;
use sloop::paths::API_IDENTITY_PROVIDERS;

use super::ask;
use crate::both;
use crate::logout::eventually;
use crate::support::document::Document;
use crate::support::forger::Forger;
use crate::support::rp::RelyingParty;
use crate::support::wire::Response;
use crate::support::world::{On, World};

const HOUR: Duration = Duration::from_secs(3600);

/// An IdP that was connected by the URL of its metadata, and an app that knows no other.
async fn connected(world: &World, forger: &Forger) -> (Document, RelyingParty) {
    let document = Document::serve(forger.metadata()).await;
    let added = world.add_idp("forged", "", &format!("&metadata_url={}", document.url)).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(added.json()["refresh"]["url"], document.url);
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    (document, app)
}

async fn refresh(world: &World) -> Response {
    let path = format!("{API_IDENTITY_PROVIDERS}/forged/refresh");
    world.api("POST", &path, "application/json", "").await
}

async fn show(world: &World) -> Value {
    let path = format!("{API_IDENTITY_PROVIDERS}/forged");
    world.api("GET", &path, "application/json", "").await.json()
}

/// Whether a sign-in that this IdP signs is believed.
pub(super) async fn believes(
    world: &World,
    app: &RelyingParty,
    asked_idp: &Forger,
    signer: &Forger,
) -> bool {
    let mut browser = world.browser();
    let (attempt, asked) = ask(asked_idp, &mut browser, app).await;
    let page = signer.send(world, &mut browser, &asked, &signer.says(&asked, "ada")).await;
    match page.location() {
        Some(callback) => app.finish(&attempt, &callback).await.is_ok(),
        None => {
            assert_eq!(page.status, 400, "{}", page.summary());
            assert!(!world.is_signed_in(&mut browser, app).await);
            false
        }
    }
}

pub(super) fn with_key_of(metadata: &str, other: &Forger) -> String {
    let other = other.metadata();
    let end = "</md:KeyDescriptor>";
    let (from, to) =
        (other.find("<md:KeyDescriptor").unwrap(), other.find(end).unwrap() + end.len());
    metadata.replacen("<md:KeyDescriptor", &format!("{}<md:KeyDescriptor", &other[from..to]), 1)
}

// MD-11: what nobody looked at may add a key, and not swap them all, nor become another IdP.
both!(a_refresh_may_add_a_key_and_not_swap_them_all, keys);
async fn keys(on: On) {
    let world = World::on(on).await;
    let (old, new) = (Forger::new(&world.clock), Forger::new(&world.clock));
    let (document, app) = connected(&world, &old).await;
    assert_eq!(refresh(&world).await.json()["result"], "unchanged");

    document.replace(new.metadata());
    let answer = refresh(&world).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &"keys_replaced".into()));
    assert!(!believes(&world, &app, &old, &new).await);
    assert!(believes(&world, &app, &old, &old).await);
    let report = show(&world).await;
    assert!(report["refresh"]["failure"].as_str().unwrap().contains("every key"), "{report}");

    document.replace(Forger::at("http://localhost:10", &world.clock).metadata());
    let answer = refresh(&world).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &"entity_id_changed".into()));
    document.replace("<oops/>".into());
    assert_eq!(refresh(&world).await.json()["code"], "metadata.not_metadata");
    assert!(believes(&world, &app, &old, &old).await);

    // One more beside the old one is how a rollover begins.
    document.replace(with_key_of(&old.metadata(), &new));
    let answer = refresh(&world).await.json();
    assert_eq!(answer["result"], "updated", "{answer}");
    assert!(answer["changes"].as_str().unwrap().starts_with("keys added: "), "{answer}");
    assert!(believes(&world, &app, &old, &new).await);
    assert!(believes(&world, &app, &old, &old).await);
    // And the end of it: a key that was known goes on alone.
    document.replace(new.metadata());
    assert_eq!(refresh(&world).await.json()["result"], "updated");
    assert!(!believes(&world, &app, &old, &old).await);
    assert_eq!(show(&world).await["refresh"]["failure"], Value::Null);

    if on == On::Sqlite {
        let stored = stored(&world);
        for event in ["idp.refresh_failed", "keys_replaced", "idp.refreshed", "keys added: "] {
            assert!(stored.contains(event), "{event} is not in the audit log");
        }
    }

    // An administrator who uploads may do what a refresh may not; the URL is forgotten then.
    assert_eq!(world.add_idp("forged", &old.metadata(), "").await.status, 200);
    assert!(believes(&world, &app, &old, &old).await);
    assert_eq!(show(&world).await["refresh"], Value::Null);
    assert_eq!(refresh(&world).await.json()["code"], "no_metadata_url");
}

/// The database with its write-ahead log, as far as it is text.
fn stored(world: &World) -> String {
    let read = |name: &str| std::fs::read(world.folder().join(name)).unwrap_or_default();
    String::from_utf8_lossy(&[read("sloop.db"), read("sloop.db-wal")].concat()).into_owned()
}

// MD-06: nothing inside is asked because somebody writes it into a metadata URL.
both!(a_metadata_url_does_not_reach_inside, inside);
async fn inside(on: On) {
    let world = World::on(on).await;
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/metadata",
        "https://192.168.1.1/metadata",
        "https://172.16.0.1/metadata",
        "https://100.64.0.1/metadata",
        "https://0.0.0.0/metadata",
        "https://[fd00::1]/metadata",
        "https://[fe80::1]/metadata",
        "https://[::ffff:10.0.0.1]/metadata",
        "https://167772161/metadata",
        "https://0x0a000001/metadata",
        "http://example.com/metadata",
        "file:///etc/passwd",
        "ftp://example.com/metadata",
    ] {
        let answer = world.add_idp("inside", "", &format!("&metadata_url={url}")).await;
        assert_eq!(answer.status, 400, "{url}: {}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["code"], "metadata_unreachable", "{url}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().contains("root:"), "{problem}");
    }
    let both = world.add_idp("inside", "<a/>", "&metadata_url=https://example.com/").await;
    assert_eq!(both.json()["code"], "invalid_query");
    let none = world.add_idp("inside", "", "&metadata_url=metadata").await;
    assert_eq!(none.json()["code"], "invalid_setting");
    // What is shown in reports holds no password.
    let secret = "&metadata_url=https://sloop:hunter2@example.com/metadata";
    let refused = world.add_idp("inside", "", secret).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &"invalid_setting".into()));
    assert!(!refused.body.contains("hunter2"), "{}", refused.body);
    // The same way to a place that the operator has allowed.
    connected(&world, &Forger::new(&world.clock)).await;
}

// An earlier version took a URL with a password in it, and kept what it was told of failures.
both!(the_password_in_a_url_of_former_times_is_shown_to_nobody, former_password);
async fn former_password(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    let (_, app) = connected(&world, &forger).await;
    let url = "https://sloop:hunter2@example.com/metadata?a=b";
    let stored =
        format!("UPDATE metadata_source SET url = '{url}', failure = '{url} answered 401'");
    world.execute(&stored).await;
    let shown = show(&world).await;
    assert_eq!(shown["refresh"]["url"], "https://***@example.com/metadata?a=b");
    let failure = "https://***@example.com/metadata?a=b answered 401";
    assert_eq!(shown["refresh"]["failure"], failure);
    let list = world.api("GET", API_IDENTITY_PROVIDERS, "application/json", "").await.body;
    assert!(list.contains("https://***@example.com") && !list.contains("hunter2"), "{list}");

    // It is asked no more; what we have counts, and the mend is said.
    let refused = refresh(&world).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &"metadata_url_unusable".into()));
    assert!(refused.body.contains("sloop idp add") && !refused.body.contains("hunter2"));
    let shown = show(&world).await;
    assert!(shown["refresh"]["failure"].as_str().unwrap().contains("a user name or a password"));
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    assert!(world.audit().await.iter().all(|event| !event.detail.contains("hunter2")));
    assert!(believes(&world, &app, &forger, &forger).await);
}

// MI-04, MI-05: `cacheDuration` says when, and an unchanged document is not sent again.
both!(new_metadata_is_looked_for_when_its_time_has_come, scheduled);
async fn scheduled(on: On) {
    let world = World::on(on).await;
    let (old, new) = (Forger::new(&world.clock), Forger::new(&world.clock));
    let (document, app) = connected(&world, &old).await;
    let hourly = |xml: String| xml.replace(" entityID=", " cacheDuration=\"PT1H\" entityID=");
    document.replace(hourly(old.metadata()));
    let look = async || world.use_cases().refresh_due_idps().await.unwrap();

    look().await;
    assert_eq!(document.counts(), (1, 1), "not before its time: six hours where nothing is said");
    world.clock.advance(6 * HOUR + Duration::from_secs(1));
    look().await;
    assert_eq!(document.counts(), (2, 2));
    assert_eq!(show(&world).await["cache_duration"], 3600);
    look().await;
    assert_eq!(document.counts(), (2, 2));
    world.clock.advance(HOUR + Duration::from_secs(1));
    look().await;
    assert_eq!(document.counts(), (3, 2), "asked for a newer one, and there was none");

    document.replace(hourly(with_key_of(&old.metadata(), &new)));
    assert!(!believes(&world, &app, &old, &new).await);
    world.clock.advance(HOUR + Duration::from_secs(1));
    look().await;
    assert_eq!(document.counts(), (4, 3));
    assert!(believes(&world, &app, &old, &new).await);
}

// MI-04: a server that is down, or sends people elsewhere, takes nothing away until `validUntil`.
both!(what_we_have_counts_while_nothing_better_is_there, kept);
async fn kept(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    let until = world.clock.now().plus(48 * HOUR);
    let (document, app) = connected(&world, &forger).await;
    let limited =
        forger.metadata().replace(" entityID=", &format!(" validUntil=\"{until}\" entityID="));
    document.replace(limited);
    assert_eq!(refresh(&world).await.json()["result"], "updated");

    for status in [500, 404, 302, 304] {
        document.status(status);
        let answer = refresh(&world).await;
        // A 304 says that ours is the newest.
        if status == 304 {
            assert_eq!(answer.json()["result"], "unchanged");
            continue;
        }
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"metadata_unreachable".into()));
        let report = show(&world).await;
        assert!(report["refresh"]["failure"].as_str().unwrap().contains(&status.to_string()));
        assert!(believes(&world, &app, &forger, &forger).await, "{status}");
    }
    document.status(500);
    world.clock.advance(49 * HOUR);
    world.use_cases().refresh_due_idps().await.unwrap();
    let mut browser = world.browser();
    let page = browser.get(app.begin(&[]).await.url.as_str()).await;
    assert!(
        page.location().is_none_or(|to| !to.as_str().starts_with(&forger.base)),
        "{}",
        page.summary()
    );
    // The server is back, and so is the way in, at the next look.
    document.status(200);
    document.replace(forger.metadata());
    world.clock.advance(HOUR);
    world.use_cases().refresh_due_idps().await.unwrap();
    assert!(believes(&world, &app, &forger, &forger).await);
}

// What an administrator loads while a refresh is on its way is newer than what the refresh brings.
both!(a_late_refresh_does_not_put_older_metadata_back, late);
async fn late(on: On) {
    let world = World::on(on).await;
    let (old, new) = (Forger::new(&world.clock), Forger::new(&world.clock));
    let (document, app) = connected(&world, &old).await;
    // The answer with both keys is on its way, and the old key is known to be lost.
    document.replace(with_key_of(&new.metadata(), &old));
    let release = document.hold();
    let asked = document.counts().0;
    let load = async {
        eventually("the question", async || document.counts().0 > asked).await;
        world.clock.advance(Duration::from_secs(1));
        document.replace(new.metadata());
        let url = format!("&metadata_url={}", document.url);
        let loaded = world.add_idp("forged", "", &url).await;
        assert_eq!(loaded.status, 200, "{}", loaded.body);
        drop(release);
    };
    let (refreshed, ()) = tokio::join!(refresh(&world), load);

    assert_eq!(refreshed.status, 503, "{}", refreshed.body);
    assert!(!believes(&world, &app, &new, &old).await);
    assert!(believes(&world, &app, &new, &new).await);
    // Nor does the failure of a late one stand over what was loaded.
    assert_eq!(show(&world).await["refresh"]["failure"], Value::Null);
    // The next one is on time.
    document.replace(with_key_of(&new.metadata(), &old));
    assert_eq!(refresh(&world).await.json()["result"], "updated");
    assert!(believes(&world, &app, &new, &old).await);
}

// What several people settle at once is all kept, whatever a refresh writes between.
both!(settings_that_are_written_at_once_are_all_kept, at_once);
async fn at_once(on: On) {
    let world = World::on(on).await;
    let (old, new) = (Forger::new(&world.clock), Forger::new(&world.clock));
    let (document, app) = connected(&world, &old).await;
    for round in 0..5 {
        let (on, binding) = (round % 2 == 0, if round % 2 == 0 { "post" } else { "redirect" });
        document.replace(match on {
            true => with_key_of(&old.metadata(), &new),
            false => old.metadata(),
        });
        let add = |setting: String| {
            let query = format!("&metadata_url={}&{setting}", document.url);
            let world = &world;
            async move { world.add_idp("forged", "", &query).await.status }
        };
        let settled = futures_util::future::join4(
            add(format!("always_success={on}")),
            add(format!("sso_binding={binding}")),
            add(format!("domains=round{round}.example")),
            refresh(&world),
        );
        let (one, two, three, refreshed) = settled.await;
        assert_eq!([one, two, three], [200; 3], "{round}");
        assert!(matches!(refreshed.status, 200 | 503), "{}", refreshed.body);
        let settings = show(&world).await["settings"].clone();
        assert_eq!(settings["always_success"], on, "{round}");
        assert_eq!(settings["sso_binding"], binding, "{round}");
        assert_eq!(settings["domains"], serde_json::json!([format!("round{round}.example")]));
        assert_eq!(believes(&world, &app, &old, &new).await, on);
    }
}
