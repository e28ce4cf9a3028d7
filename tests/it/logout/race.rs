//! Many at once: a session ends once.

use futures_util::future::join_all;

use super::{home, signed_in};
use crate::both;
use crate::support::world::{On, World};

both!(fifty_sign_outs_of_one_session_are_one_logout, fifty);
async fn fifty(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let cookie = format!("sid={cookie}");
    let url = world.logout_url(&one, ada.hint(), "the-state").await;
    let target = url[url::Position::BeforePath..].to_owned();

    let headers = [("cookie", cookie.as_str())];
    let requests = (0..50).map(|_| world.request("GET", &target, &headers, ""));
    let answers = join_all(requests).await;

    assert_eq!(world.logout_count().await, 1);
    let to = |start: &str| {
        let leads = |answer: &&crate::support::wire::Response| {
            answer.header("location").is_some_and(|url| url.starts_with(start))
        };
        answers.iter().filter(leads).count()
    };
    assert!(answers.iter().all(|answer| answer.status == 303), "nobody gets an error");
    // Whichever answer the browser keeps leads on: to the IdP with the same request, or, for one that
    // lost a race, to the page of the logout. Nobody is sent home before the IdP was asked.
    let (at_idp, at_page) = (to(&world.idp_url), to(&world.url(sloop::paths::LOGOUT_PAGE)));
    assert!(at_idp >= 1 && at_idp + at_page == 50, "{at_idp} {at_page}");
    assert_eq!(to(&home(&one)), 0);
    world.work().await;
    for app in [&one, &two] {
        super::eventually("a token", async || !app.received_logout_tokens().is_empty()).await;
        assert_eq!(app.received_logout_tokens().len(), 1);
    }
    assert!(!ada.is_in(&world, &one).await);
}

both!(an_app_that_joins_during_a_logout_is_told_or_kept_out, joining);
async fn joining(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    for _ in 0..5 {
        let mut ada = signed_in(&world, &one, "ada").await;
        let cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
        let cookie = format!("sid={cookie}");
        let headers = [("cookie", cookie.as_str())];
        let path = |url: &url::Url| url[url::Position::BeforePath..].to_owned();
        let out = path(&world.logout_url(&one, ada.hint(), "the-state").await);
        let attempt = two.begin(&[("prompt", "none")]).await;
        let join = path(&attempt.url);
        let (_, joined) = tokio::join!(
            world.request("GET", &out, &headers, ""),
            world.request("GET", &join, &headers, "")
        );
        let callback = url::Url::parse(joined.header("location").unwrap()).unwrap();
        let joined = callback.query_pairs().any(|(name, _)| name == "code");
        let told = world.newest_logout().await.legs.iter().any(|leg| leg.party == "app app-two");
        assert_eq!(joined, told, "who joined before the commit is told; nobody joins after it");
        assert!(two.finish(&attempt, &callback).await.is_err(), "the code is dead");
        assert!(!ada.is_in(&world, &two).await);
    }
}
