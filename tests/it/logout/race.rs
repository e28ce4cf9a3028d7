//! Many at once: a session ends once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use sloop::paths;
use url::{Position, Url};

use super::{home, signed_in};
use crate::both;
use crate::saml::{ask, forged};
use crate::support::browser::Browser;
use crate::support::forger::{Asked, Forger, Said, Sign};
use crate::support::idp_key::IdpKey;
use crate::support::query::{form, value};
use crate::support::rp::Failure;
use crate::support::wire::Response;
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

both!(a_code_that_races_its_logout_opens_nothing_afterwards, code);
async fn code(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let dead = Failure::Token(400, "invalid_grant".into());
    for round in 0..20 {
        let mut ada = signed_in(&world, &app, "ada").await;
        let attempt = app.begin(&[("prompt", "none")]).await;
        let callback = ada.browser.get(attempt.url.as_str()).await.location().unwrap();
        let code = value(&callback, "code").unwrap();
        let cookies = cookies(&ada.browser, &world);
        let headers = [("cookie", cookies.as_str())];
        let out = world.logout_url(&app, ada.hint(), "the-state").await;

        let (_, redeemed) = tokio::join!(
            world.request("GET", &out[Position::BeforePath..], &headers, ""),
            app.redeem(&attempt, &code)
        );

        assert_eq!(world.logout_count().await, round + 1);
        match redeemed {
            Ok(tokens) => assert_eq!(app.userinfo(&tokens.access_token).await.status, 401),
            Err(failure) => assert_eq!(failure, dead),
        }
        assert_eq!(app.redeem(&attempt, &code).await.unwrap_err(), dead);
        assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(a_sign_in_by_the_old_session_that_races_the_logout_leaves_nobody_signed_in, sign_in);
async fn sign_in(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    for round in 0..10 {
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let first = forger.says(&asked, "ada");
        let page = forger.send(&world, &mut browser, &asked, &first).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        // Another tab wants more of the IdP, which answers by the session that it has.
        let attempt = app.begin(&[("acr_values", "urn:more")]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let mut said = forger.says(&asked, "ada");
        said.session_index = first.session_index;
        said.authn_instant = first.authn_instant;
        let old = cookies(&browser, &world);
        let out = world.logout_url(&app, &tokens.id_token, "the-state").await;

        let headers = [("cookie", old.as_str())];
        let (_, answer) = tokio::join!(
            world.request("GET", &out[Position::BeforePath..], &headers, ""),
            post(&world, &old, &forger, &asked, &said)
        );

        assert_eq!(world.logout_count().await, round + 1);
        assert_eq!(answer.status, 303, "{}", answer.body);
        let location = Url::parse(answer.header("location").unwrap()).unwrap();
        let signed_in = value(&location, "code").is_some();
        // Who was faster than the logout is ended by it; who was not is sent to prove who they are.
        assert!(signed_in || location.as_str().starts_with(&forger.sso()), "{location}");
        assert!(!signed_in || app.finish(&attempt, &location).await.is_err());
        let mut given: Vec<&str> = answer.headers_named("set-cookie").collect();
        given.retain(|line| line.starts_with("sid="));
        assert_eq!(given.len(), usize::from(signed_in));
        assert!(!world.is_signed_in(&mut browser, &app).await);
        let issuer = Url::parse(&world.issuer).unwrap();
        given.iter().for_each(|line| browser.plant(&issuer, line));
        assert!(!world.is_signed_in(&mut browser, &app).await);
        assert_eq!(app.userinfo(&tokens.access_token).await.status, 401);
    }
}

both!(of_fifty_copies_of_each_message_one_counts, copies);
async fn copies(on: On) {
    let world = World::on(on).await;
    let (forger, _) = forged(&world).await;
    let by_forger = world.app_with("app-two", json!({"idps": ["forged"]})).await;
    let app = world.app_with("app-three", json!({"idps": ["corp"]})).await;
    let key = IdpKey::connect(&world).await;

    // An assertion.
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &by_forger).await;
    let (said, own) = (forger.says(&asked, "ada"), cookies(&browser, &world));
    let answers = join_all((0..50).map(|_| post(&world, &own, &forger, &asked, &said))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 303).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 303 | 400)));
    let location = Url::parse(won[0].header("location").unwrap()).unwrap();
    by_forger.finish(&attempt, &location).await.unwrap();

    // A code.
    let mut ada = signed_in(&world, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "none")]).await;
    let callback = ada.browser.get(attempt.url.as_str()).await.location().unwrap();
    let code = value(&callback, "code").unwrap();
    let redeemed = join_all((0..50).map(|_| app.redeem(&attempt, &code))).await;
    assert_eq!(redeemed.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let dead = Failure::Token(400, "invalid_grant".into());
    assert!(redeemed.into_iter().filter_map(Result::err).all(|failure| failure == dead));
    assert!(ada.is_in(&world, &app).await);

    // A logout.
    let own = cookies(&ada.browser, &world);
    let headers = [("cookie", own.as_str())];
    let out = world.logout_url(&app, ada.hint(), "the-state").await;
    let target = &out[Position::BeforePath..];
    let answers = join_all((0..50).map(|_| world.request("GET", target, &headers, ""))).await;
    assert!(answers.iter().all(|answer| answer.status == 303));
    assert_eq!(world.logout_count().await, 1);
    assert!(!ada.is_in(&world, &app).await);

    // The IdP's answer.
    let asked = answers
        .iter()
        .filter_map(|answer| Url::parse(answer.header("location")?).ok())
        .find(|url| url.as_str().starts_with(&world.idp_url))
        .expect("somebody is sent to the IdP");
    let answer = crate::support::idp_key::Asked::of_url(&asked).answer(&world, &key);
    let path = answer.url().strip_prefix(&world.issuer).unwrap().to_owned();
    let pages = join_all((0..50).map(|_| world.get(&path))).await;
    assert!(pages.iter().all(|page| page.header("location") == Some(home(&app).as_str())));
    let story = world.settled().await;
    let count = |kind: &str| story.events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count("leg.sent"), count("leg.closed")), (1, 2), "{:#?}", story.events);
    assert_eq!((count("logout.answered"), count("logout.settled")), (1, 1));
    assert_eq!((count("relogin_lock.set"), count("relogin_lock.lifted")), (1, 1));
    assert_eq!(story.outcome.as_str(), "complete");
    assert_eq!(app.received_logout_tokens().len(), 1);
}

/// What this browser's own requests to us carry.
fn cookies(browser: &Browser, world: &World) -> String {
    browser.cookies_for(&Url::parse(&world.issuer).unwrap())
}

/// A Response at the ACS, with these cookies: one request.
async fn post(
    world: &World,
    cookies: &str,
    forger: &Forger,
    asked: &Asked,
    said: &Said,
) -> Response {
    let encoded = STANDARD.encode(forger.signed(said, Sign::Both));
    let relay_state = asked.relay_state.as_deref().unwrap();
    let body = form(&[("SAMLResponse", &encoded), ("RelayState", relay_state)]);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies)];
    world.request("POST", paths::SAML_ACS, &headers, &body).await
}
