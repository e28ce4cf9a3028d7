//! `POST` and `GET /api/v1/identity-providers`: an IdP by its metadata.

use serde_json::{Value, json};
use sloop::clock::Clock;
use sloop::mock_idp::{MockIdp, Options, Slo};
use sloop::paths::API_IDENTITY_PROVIDERS;
use sloop::rng::Rng;

use super::{ids, problem};
use crate::both;
use crate::support::wire::Response;
use crate::support::world::{On, World};

fn other_idp(slo: Slo) -> MockIdp {
    let options = Options { slo, ..Options::default() };
    MockIdp::new("https://other.example", options, Clock::system(), Rng::system()).unwrap()
}

async fn list(world: &World) -> Vec<String> {
    ids(&world.api("GET", API_IDENTITY_PROVIDERS, "application/json", "").await)
}

async fn show(world: &World, id: &str) -> Response {
    let path = format!("{API_IDENTITY_PROVIDERS}/{id}");
    world.api("GET", &path, "application/json", "").await
}

both!(metadata_is_uploaded_understood_and_replaced, uploaded);
async fn uploaded(on: On) {
    let world = World::on(on).await;
    let first = other_idp(Slo::Redirect).metadata();
    let settings = "&fallback=local&domains=example.com,%20example.org&subject=attribute:uid";

    let created = world.add_idp("other", &first, settings).await;

    assert_eq!(created.status, 201, "{}", created.body);
    let report = created.json();
    assert_eq!(report["id"], "other");
    assert_eq!(report["entity_id"], "https://other.example/metadata");
    assert_eq!(report["disabled"], false);
    assert_eq!(report["single_logout"], json!(["Redirect https://other.example/slo"]));
    assert_eq!(report["sign_in"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["settings"]["domains"], json!(["example.com", "example.org"]));
    assert_eq!(show(&world, "other").await.json(), report);
    assert_eq!(list(&world).await, ["corp", "other"]);

    // The same again, and then another document for the same connection: 200, not 201.
    let again = world.add_idp("other", &first, settings).await;
    assert_eq!((again.status, again.json()), (200, report));
    let replaced = world.add_idp("other", &other_idp(Slo::None).metadata(), "").await;
    assert_eq!(replaced.status, 200, "{}", replaced.body);
    let shown = show(&world, "other").await.json();
    assert_eq!(shown["single_logout"], json!([]));
    assert!(shown["advice"].as_array().is_some_and(|advice| !advice.is_empty()), "{shown}");
    assert_eq!(list(&world).await, ["corp", "other"]);
}

both!(wrong_metadata_is_refused_with_line_and_reason_and_changes_nothing, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let good = other_idp(Slo::Redirect).metadata();
    let before = show(&world, "corp").await.json();
    let broken =
        format!("<!-- one -->\n{}", good.replace("</md:IDPSSODescriptor>", "\n</md:oops>"));
    let no_key = good.replace("<ds:X509Certificate>", "<ds:X509Certificate>!");
    let relative = good.replace("https://other.example/sso", "\n/sso");
    let unclosed = "<a>\n<a>".to_owned();
    for (xml, says) in [
        ("", "line 1"),
        ("hello", "line 1"),
        (unclosed.as_str(), "line 2"),
        (broken.as_str(), "line 3"),
        ("\n<html xmlns=\"http://www.w3.org/1999/xhtml\"/>", "line 2"),
        (&no_key, "line 1: X509Certificate"),
        (&relative, "SingleSignOnService"),
        ("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>", "line 1"),
    ] {
        for id in ["other", "corp"] {
            let answer = world.add_idp(id, xml, "").await;
            assert_eq!(answer.status, 400, "{xml}: {}", answer.body);
            let problem = problem(&answer, 400, answer.json()["code"].as_str().unwrap());
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(says) && !detail.contains("root:"), "{xml}: {problem}");
        }
    }
    assert_eq!(list(&world).await, ["corp"]);
    assert_eq!(show(&world, "corp").await.json(), before);
    assert_eq!(world.add_idp("other", &good, "").await.status, 201);
}

both!(an_entity_id_and_a_domain_belong_to_one_connection, taken);
async fn taken(on: On) {
    let world = World::on(on).await;
    let other = other_idp(Slo::Redirect).metadata();
    assert_eq!(world.add_idp("other", &other, "&domains=example.com").await.status, 201);

    let twice = world.add_idp("second", &world.idp.metadata(), "").await;
    let problem_of_it = problem(&twice, 409, "entity_id_taken");
    let detail = problem_of_it["detail"].as_str().unwrap();
    assert!(detail.contains(world.idp.entity_id().as_str()), "{detail}");
    // Nor by replacing the metadata of another connection, whether that is meant or not.
    let named = format!("&entity_id={}", world.idp.entity_id());
    for (settings, code) in [("", "entity_id_changed"), (&named, "entity_id_taken")] {
        problem(&world.add_idp("other", &world.idp.metadata(), settings).await, 409, code);
    }
    let third = other.replace("other.example", "third.example");
    let domain = world.add_idp("third", &third, "&domains=EXAMPLE.com").await;
    problem(&domain, 409, "domain_taken");

    assert_eq!(list(&world).await, ["corp", "other"]);
    assert_eq!(show(&world, "other").await.json()["entity_id"], "https://other.example/metadata");
    assert_eq!(world.add_idp("third", &third, "&domains=example.net").await.status, 201);
}

both!(what_the_query_says_must_be_understood, queries);
async fn queries(on: On) {
    let world = World::on(on).await;
    let metadata = other_idp(Slo::Redirect).metadata();
    for (query, code, says) in [
        ("", "invalid_query", "id"),
        ("?id=other&falback=local", "invalid_query", "falback"),
        ("?id=a%20b", "invalid_id", "a b"),
        ("?id=other&fallback=never", "invalid_query", "fallback \"never\""),
        ("?id=other&fallback=url:javascript:alert(1)", "invalid_query", "javascript"),
        ("?id=other&subject=mail", "invalid_query", "subject: "),
        ("?id=other&slo_binding=soap", "invalid_query", "slo_binding: "),
        ("?id=other&domains=no%20domain", "invalid_setting", "no domain"),
    ] {
        let path = format!("{API_IDENTITY_PROVIDERS}{query}");
        let answer = world.api("POST", &path, "application/samlmetadata+xml", &metadata).await;
        let problem = problem(&answer, 400, code);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    let nobody = "&entity_id=https://nobody.example";
    let answer = world.add_idp("other", &metadata, nobody).await;
    let detail = problem(&answer, 400, answer.json()["code"].as_str().unwrap())["detail"].clone();
    assert!(detail.as_str().unwrap().contains("https://other.example/metadata"), "{detail}");
    assert_eq!(list(&world).await, ["corp"]);
    let right = "&entity_id=https://other.example/metadata&fallback=login-url";
    assert_eq!(world.add_idp("other", &metadata, right).await.status, 201);
}

both!(too_much_metadata_is_refused_by_its_size, too_large);
async fn too_large(on: On) {
    const LIMIT: usize = 2 * 1024 * 1024;
    let world = World::on(on).await;
    let metadata = other_idp(Slo::Redirect).metadata();
    let filled = |bytes: usize| metadata.clone() + &" ".repeat(bytes - metadata.len());

    let answer = world.add_idp("other", &filled(LIMIT + 1), "").await;

    problem(&answer, 413, "too_large");
    assert_eq!(list(&world).await, ["corp"]);
    let most = world.add_idp("other", &filled(LIMIT), "").await;
    assert_eq!(most.status, 201, "{}", most.body);
}

both!(an_unknown_connection_is_404, unknown);
async fn unknown(on: On) {
    let world = World::on(on).await;
    for id in ["nobody", "%20", "CORP", "a%2Fb"] {
        problem(&show(&world, id).await, 404, "not_found");
    }
    let shown: Value = show(&world, "corp").await.json();
    assert_eq!(shown["entity_id"], world.idp.entity_id().as_str());
}

both!(what_is_no_metadata_is_refused_whatever_it_is_called, no_metadata);
async fn no_metadata(on: On) {
    let world = World::on(on).await;
    let good = other_idp(Slo::Redirect).metadata();
    let wide: String = good.chars().flat_map(|c| [c, '\0']).collect();
    let form = format!(
        "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"m.xml\"\r\n\r\n{good}\r\n--x--"
    );
    let path = format!("{API_IDENTITY_PROVIDERS}?id=other");
    for (what, kind, body) in [
        ("a ZIP archive", "application/zip", "PK\u{3}\u{4}\u{14}\0\0\0\u{8}\0metadata.xml"),
        ("a wide encoding", "application/samlmetadata+xml", wide.as_str()),
        ("a browser's upload", "multipart/form-data; boundary=x", form.as_str()),
        ("a page", "text/html", "<!doctype html><html><body>Sign in</body></html>"),
        ("JSON", "application/json", "{\"metadata\": \"https://idp.example/metadata\"}"),
        ("nothing", "application/samlmetadata+xml", ""),
    ] {
        let answer = world.api("POST", &path, kind, body).await;
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
        assert!(answer.json()["code"].is_string(), "{what}: {}", answer.body);
        assert_eq!(list(&world).await, ["corp"], "{what}");
    }
    assert_eq!(world.add_idp("other", &good, "").await.status, 201);
}
