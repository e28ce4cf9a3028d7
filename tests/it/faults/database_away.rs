//! The database is away: nobody is told what is not so, and everything goes on when it is back.

use std::time::{Duration, Instant};

use crate::logout::eventually;
use crate::support::cable::Cable;
use crate::support::world::{On, World};

/// A world whose service reaches its PostgreSQL by way of a cable.
async fn by_cable() -> (World, Cable) {
    let mut world = World::on(On::Postgres).await;
    let url = world.database_url();
    let cable = Cable::to(&url).await;
    world.config.database = cable.url(&url).parse().unwrap();
    world.restart().await;
    (world, cable)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_is_refused_and_never_promised_and_works_when_it_is_back() {
    let (world, cable) = by_cable().await;
    let app = world.app("app-one").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    let of_ada = world.sign_in(&mut ada, &app, "ada").await;
    let of_bob = world.sign_in(&mut bob, &app, "bob").await;
    let discovery = world.get("/.well-known/openid-configuration").await.body;
    let keys = world.get(sloop::paths::JWKS).await.body;
    let out_of = |hint: &str| {
        let parameters = [
            ("id_token_hint", hint.to_owned()),
            ("post_logout_redirect_uri", app.post_logout_redirect_uri()),
            ("state", "the-state".to_owned()),
        ];
        let mut url = url::Url::parse(&world.url("/connect/endsession")).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        url
    };
    let home = format!("{}?state=the-state", app.post_logout_redirect_uri());
    // Bob is at the IdP already.
    let at_idp = bob.get(out_of(&of_bob.id_token).as_str()).await;
    let answer = bob.follow_until(at_idp, |next| next.path() == "/logout").await;
    let answer = answer.location().unwrap();
    let way_out = out_of(&of_ada.id_token);

    for away in [Cable::break_off, Cable::fall_silent] {
        away(&cable);
        let begun = Instant::now();

        let refused = ada.get(way_out.as_str()).await;

        let took = begun.elapsed();
        assert!(took < Duration::from_secs(9), "{took:?}");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
        assert!(refused.header("set-cookie").is_none(), "no cookie goes before its session");
        assert!(!refused.text().contains("signed out"), "{}", refused.summary());
        // The IdP's answer is not lost either: the person tries again.
        let refused = bob.get(answer.as_str()).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
        let attempt = app_request(&world, &app.client_id, &app.redirect_uri());
        assert_eq!(ada.get(&attempt).await.status, 503, "nobody gets in meanwhile");
        let bearer = format!("Bearer {}", of_ada.access_token);
        let userinfo = sloop::paths::USERINFO;
        let told = world.request("GET", userinfo, &[("authorization", &bearer)], "").await;
        assert_eq!(told.status, 503);
        // It lives, and says that it is not ready; what needs no database is there.
        assert_eq!(world.get(sloop::paths::READYZ).await.status, 503);
        assert_eq!(world.get(sloop::paths::HEALTHZ).await.status, 200);
        assert_eq!(world.get("/.well-known/openid-configuration").await.body, discovery);
        assert_eq!(world.get(sloop::paths::JWKS).await.body, keys);

        cable.plug_in();
        let ready = async || world.get(sloop::paths::READYZ).await.status == 200;
        eventually("it is ready again, without a restart", ready).await;
        assert!(world.is_signed_in(&mut ada, &app).await, "no session is lost");
        assert_eq!(world.logout_count().await, 1, "and nothing was begun");
    }

    let end = ada.open(way_out.as_str()).await;
    assert_eq!(end.url.as_str(), home, "{}", end.summary());
    assert!(!world.is_signed_in(&mut ada, &app).await);
    let end = bob.open(answer.as_str()).await;
    assert_eq!(end.url.as_str(), home, "{}", end.summary());
    assert!(!world.is_signed_in(&mut bob, &app).await);
    // What could not be written down is told again when its lease is over.
    world.clock.advance(Duration::from_secs(31));
    let logouts = async || world.use_cases().logouts(10).await.unwrap();
    let settled = async || logouts().await.iter().all(|logout| logout.settled);
    eventually("the end of both", settled).await;
    for logout in logouts().await {
        assert_eq!(logout.outcome.as_str(), "complete", "{logout:?}");
    }
}

/// The address of a sign-in, without asking discovery.
fn app_request(world: &World, client: &str, redirect_uri: &str) -> String {
    let mut url = url::Url::parse(&world.url("/connect/authorize")).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("scope", "openid"),
        ("prompt", "none"),
        ("state", "the-state"),
    ]);
    url.into()
}
