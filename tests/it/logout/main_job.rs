//! The main way out: one app signs its person out, and everybody is told.

use sloop::mock_idp::{Entry, Options, Slo};

use crate::both;
use crate::support::world::{On, Setting, World};

both!(logout_by_redirect_tells_the_idp_and_every_app, by_redirect);
async fn by_redirect(on: On) {
    everybody_is_told(World::on(on).await).await;
}

both!(logout_by_post_tells_the_idp_and_every_app, by_post);
async fn by_post(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    everybody_is_told(Setting::on(on).idp(idp).begin().await).await;
}

both!(over_tls_a_cross_site_answer_needs_no_session_cookie, over_tls);
async fn over_tls(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    everybody_is_told(Setting::on(on).https().idp(idp).begin().await).await;
}

async fn everybody_is_told(world: World) {
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &one, "ada").await;
    world.sign_in(&mut browser, &two, "ada").await;
    let sid = tokens.claims["sid"].as_str().unwrap().to_owned();
    assert!(one.is_signed_in(&sid).await && two.is_signed_in(&sid).await);
    let issued = world.idp.sessions();

    let end = world.sign_out(&mut browser, &one, &tokens.id_token).await;

    // The browser is home, with the state it left with and nothing else.
    let home = format!("{}?state=the-state", one.post_logout_redirect_uri());
    assert_eq!(end.url.as_str(), home);
    // The IdP got exactly what it had issued, signed, and its session is gone.
    let journal = world.idp.journal();
    let Some(Entry::LogoutRequest { name_id, session_indexes, signature_valid, ended, .. }) =
        journal.last()
    else {
        panic!("{journal:#?}");
    };
    assert_eq!(*name_id, issued[0].name_id);
    assert_eq!(*session_indexes, issued[0].session_index.clone().into_iter().collect::<Vec<_>>());
    assert!(*signature_valid);
    assert_eq!(*ended, 1);
    assert_eq!(world.idp.sessions(), []);
    // Each app, the one that asked included, got one logout token of that session.
    for app in [&one, &two] {
        let told = app.logouts().await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["sid"], sid.as_str());
        assert!(!app.is_signed_in(&sid).await);
    }
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    // Nobody is signed in any more, here or there.
    assert!(!world.is_signed_in(&mut browser, &two).await);
    assert_eq!(one.userinfo(&tokens.access_token).await.status, 401);
    let again = browser.open(two.begin(&[]).await.url.as_str()).await;
    assert!(again.url.as_str().starts_with(&world.idp_url), "{}", again.summary());
}
