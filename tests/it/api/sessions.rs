//! Who is signed in, as an administrator's script reads it.

use serde_json::json;
use sloop::paths::{API_LOGOUTS, API_SESSIONS, API_SIGN_OUT};

use super::{ids, problem};
use crate::both;
use crate::support::world::{On, World};

const JSON: &str = "application/json";

both!(sessions_are_listed_by_person_idp_and_client_without_a_name, listed);
async fn listed(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let (mut ada, mut bob) = (world.browser(), world.browser());
    let of_ada = world.sign_in(&mut ada, &one, "ada").await;
    world.sign_in(&mut ada, &two, "ada").await;
    world.sign_in(&mut bob, &two, "bob").await;
    let get =
        async |query: &str| world.api("GET", &format!("{API_SESSIONS}{query}"), JSON, "").await;
    let all = get("").await;
    let whole = ids(&all);
    assert_eq!(whole.len(), 2);
    let listing = all.json();
    let first = &listing["items"][0];
    assert_eq!(first["sub"], of_ada.claims["sub"]);
    assert_eq!(
        (&first["idps"], &first["apps"]),
        (&json!(["corp"]), &json!(["app-one", "app-two"]))
    );
    for time in ["begun_at", "idle_until", "expires_at"] {
        assert!(first[time].as_str().is_some_and(|text| text.ends_with('Z')), "{first}");
    }
    let session = world.idp.sessions().remove(0);
    let index = session.session_index.unwrap();
    for secret in [session.name_id.value.as_str(), index.as_str()] {
        assert!(!all.body.contains(secret), "{}", all.body);
    }

    let sub = of_ada.claims["sub"].as_str().unwrap();
    assert_eq!(ids(&get(&format!("?sub={sub}")).await), whole[..1]);
    assert_eq!(ids(&get("?client=app-one").await), whole[..1]);
    assert_eq!(ids(&get("?client=app-two").await), whole);
    assert_eq!(ids(&get("?idp=corp").await), whole);
    assert!(ids(&get("?idp=other").await).is_empty());
    assert!(ids(&get(&format!("?idp=corp&client=app-two&sub={sub}x")).await).is_empty());
    // One after the other.
    let page = get("?limit=1").await;
    assert_eq!((ids(&page), &page.json()["next"]), (whole[..1].to_vec(), &json!(whole[0])));
    let page = get(&format!("?limit=1&after={}", whole[0])).await;
    assert_eq!(ids(&page), whole[1..]);
    let page = get(&format!("?limit=1&after={}", whole[1])).await;
    assert_eq!((ids(&page), &page.json()["next"]), (vec![], &json!(null)));
    problem(&get("?client=not+an+id").await, 400, "invalid_query");
    problem(&get("?colour=blue").await, 400, "invalid_query");
}

both!(what_does_not_exist_or_cannot_be_read_ends_nothing, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let unknown = "0198c5a0-0000-7000-8000-000000000000";
    let session = ids(&world.api("GET", API_SESSIONS, JSON, "").await).remove(0);
    for (method, path, body, status, code) in [
        ("DELETE", format!("{API_SESSIONS}/{unknown}"), "", 404, "not_found"),
        ("DELETE", format!("{API_SESSIONS}/everybody"), "", 404, "not_found"),
        ("POST", API_SIGN_OUT.to_owned(), "", 400, "invalid_json"),
        ("POST", API_SIGN_OUT.to_owned(), "{}", 400, "invalid_json"),
        ("POST", API_SIGN_OUT.to_owned(), r#"{"sub":""}"#, 400, "invalid_sub"),
        ("POST", API_SIGN_OUT.to_owned(), r#"{"sub":"a\u0000"}"#, 400, "invalid_sub"),
        ("POST", API_SIGN_OUT.to_owned(), r#"{"sub":"a","idp":"corp"}"#, 400, "invalid_json"),
        ("GET", format!("{API_SESSIONS}?sub=%00"), "", 400, "invalid_sub"),
        ("GET", format!("{API_LOGOUTS}/{unknown}"), "", 404, "not_found"),
        ("POST", format!("{API_LOGOUTS}/{unknown}/retry"), "", 404, "not_found"),
        ("GET", format!("{API_LOGOUTS}?limit=many"), "", 400, "invalid_query"),
    ] {
        problem(&world.api(method, &path, JSON, body).await, status, code);
        // Without a token nothing is looked at.
        problem(&world.request(method, &path, &[], body).await, 401, "unauthorized");
    }
    let own = format!("{API_SESSIONS}/{session}");
    problem(&world.request("DELETE", &own, &[], "").await, 401, "unauthorized");
    let sub = json!({ "sub": tokens.claims["sub"] }).to_string();
    problem(&world.request("POST", API_SIGN_OUT, &[], &sub).await, 401, "unauthorized");
    assert!(world.is_signed_in(&mut browser, &app).await);
    assert_eq!(world.logout_count().await, 0);

    assert_eq!(world.api("DELETE", &own, JSON, "").await.status, 200);
    assert!(!world.is_signed_in(&mut browser, &app).await);
    let logouts = world.api("GET", &format!("{API_LOGOUTS}?limit=1"), JSON, "").await;
    let [id] = ids(&logouts).try_into().expect("one logout");
    let story = world.api("GET", &format!("{API_LOGOUTS}/{id}"), JSON, "").await;
    assert_eq!((story.status, &story.json()["id"]), (200, &json!(id)));
}

both!(what_is_written_into_a_list_is_never_sql, forged);
async fn forged(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let quoted = "%27%20OR%20%271%27=%271";
    for query in [
        "limit=1%3BDROP%20TABLE%20browser_session",
        "limit=-1",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "sort=subject",
        &format!("after={quoted}"),
        &format!("idp={quoted}"),
        &format!("client={quoted}"),
    ] {
        let answer = world.api("GET", &format!("{API_SESSIONS}?{query}"), JSON, "").await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        assert!(answer.json().get("items").is_none(), "{query}");
    }
    // A `sub` may be any text, and is compared as one.
    let by_sub = world.api("GET", &format!("{API_SESSIONS}?sub={quoted}"), JSON, "").await;
    assert!(ids(&by_sub).is_empty(), "{}", by_sub.body);
    for query in ["limit=0%20UNION%20SELECT%201", "limit=-1"] {
        let answer = world.api("GET", &format!("{API_LOGOUTS}?{query}"), JSON, "").await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    }
    assert_eq!(ids(&world.api("GET", API_SESSIONS, JSON, "").await).len(), 1);
    assert!(world.is_signed_in(&mut browser, &app).await);
}
