//! `sloop session list|end` and `sloop logout retry`, beside a running service.

use serde_json::json;

use super::connected::{Connected, SignedIn};
use super::eventually;
use crate::support::rp::Answer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_that_cannot_be_ended_keeps_no_other_from_it() {
    let world = Connected::begin().await;
    let Connected { place, .. } = &world;
    for user in ["ada", "bob", "eve"] {
        world.sign_in(user).await;
    }
    let list = place.json(&["session", "list", "--json"]);
    let stuck = list[0]["id"].as_str().unwrap();
    let database = rusqlite::Connection::open(place.path("sloop.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let refuse = format!(
        "CREATE TRIGGER stuck BEFORE INSERT ON logout WHEN NEW.browser_session_id = '{stuck}' \
         BEGIN SELECT RAISE(ABORT, 'stuck'); END"
    );
    database.execute_batch(&refuse).unwrap();

    let run = place.run(&["session", "end", "--idp", "corp"]);

    assert_eq!(run.code, Some(1), "{}{}", run.out, run.err);
    assert!(run.err.contains(&format!("session {stuck} is not ended")), "{}", run.err);
    assert_eq!(run.out.matches("app wiki: confirmed (told at try 1)").count(), 2, "{}", run.out);
    let left = place.json(&["session", "list", "--json"]);
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left[0]["id"], stuck);
    // What was in its way is gone.
    database.execute_batch("DROP TRIGGER stuck").unwrap();
    let said = place.done(&["session", "end", "--idp", "corp"]);
    assert_eq!(said.matches("app wiki: confirmed (told at try 1)").count(), 1, "{said}");
    assert_eq!(place.json(&["session", "list", "--json"]), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_in_is_listed_and_ended_and_the_parties_are_told_at_once() {
    let world = Connected::begin().await;
    let Connected { place, idp, app, .. } = &world;
    assert_eq!(place.json(&["session", "list", "--json"]), json!([]));
    let mut people = Vec::new();
    let mut subs = Vec::new();
    for user in ["ada", "ada", "bob", "eve"] {
        let SignedIn { tokens, .. } = world.sign_in(user).await;
        subs.push(tokens.claims["sub"].as_str().unwrap().to_owned());
        people.push(tokens);
    }
    let list = |more: &[&str]| place.json(&[&["session", "list", "--json"], more].concat());
    let count = |more: &[&str]| list(more).as_array().unwrap().len();
    assert_eq!((count(&[]), count(&["--sub", &subs[0]])), (4, 2));
    assert_eq!((count(&["--idp", "corp"]), count(&["--idp", "other"])), (4, 0));
    assert_eq!((count(&["--client", "wiki"]), count(&["--client", "other"])), (4, 0));
    let bob = list(&["--sub", &subs[2]]);
    let (id, table) = (bob[0]["id"].as_str().unwrap(), place.done(&["session", "list"]));
    for known in [id, &subs[0], "corp", "wiki"] {
        assert!(table.contains(known), "{known}: {table}");
    }
    for session in idp.sessions() {
        assert!(!table.contains(&session.name_id.value), "{table}");
    }

    // One session. The command tells the app itself.
    let said = place.done(&["session", "end", id]);
    assert!(said.contains("app wiki: confirmed (told at try 1)"), "{said}");
    assert!(said.contains("IdP corp: not_possible (no browser is there"), "{said}");
    assert!(!said.contains("could not be told"), "{said}");
    let bobs_sid = people[2].claims["sid"].as_str().unwrap();
    assert!(!app.is_signed_in(bobs_sid).await);
    assert_eq!(count(&[]), 3);
    // A whole person, whose app is down: what is still to do is said, and the exit code tells it.
    app.answer_back_channel_with(Answer::Later(503, 3));
    let down = place.run(&["session", "end", "--sub", &subs[0]]);
    assert_eq!(down.code, Some(1), "{}{}", down.out, down.err);
    assert!(down.out.contains("told 1 times without success (it answered 503)"), "{}", down.out);
    assert!(down.out.contains("the running service goes on with it"), "{}", down.out);
    assert_eq!(count(&["--sub", &subs[0]]), 0);
    for tokens in &people[..2] {
        assert_eq!(app.userinfo(&tokens.access_token).await.status, 401);
    }
    assert_eq!(app.userinfo(&people[3].access_token).await.status, 200, "eve is not meant");
    app.answer_back_channel_with(Answer::Status(200));
    let told = eventually(async || {
        let sids = people[..2].iter().map(|tokens| tokens.claims["sid"].as_str().unwrap());
        let mut left = false;
        for sid in sids {
            left |= app.is_signed_in(sid).await;
        }
        (!left).then_some(())
    });
    told.await.expect("the service goes on with it");

    // Refused: the retry is for whoever mended the app.
    app.answer_back_channel_with(Answer::Status(400));
    let said = place.done(&["session", "end", "--idp", "corp"]);
    assert!(said.contains("app wiki: refused (it answered 400)"), "{said}");
    assert_eq!(count(&[]), 0);
    let newest = place.json(&["logout", "list", "--json", "--limit", "1"]);
    let newest = newest[0]["id"].as_str().unwrap().to_owned();
    app.answer_back_channel_with(Answer::Status(200));
    let said = place.done(&["logout", "retry", &newest]);
    assert!(said.contains("app wiki: confirmed (told at try 1)"), "{said}");
    let nothing = place.fails(1, &["logout", "retry", &newest]);
    assert!(nothing.contains("no app of logout") && nothing.contains(&newest), "{nothing}");

    // Nobody is left, which is no failure; an id that is not live is one.
    assert!(place.done(&["session", "end", "--sub", &subs[0]]).contains("no live session"));
    assert!(place.done(&["session", "end", "--idp", "corp"]).contains("no live session"));
    assert!(place.fails(1, &["session", "end", id]).contains(id));
    for wrong in [
        &["session", "end"][..],
        &["session", "end", "--sub", "a", "--idp", "corp"],
        &["session", "end", "everybody"],
        &["logout", "retry"],
    ] {
        assert_eq!(place.run(wrong).code, Some(2), "{wrong:?}");
    }
}
