//! Where an authorization response may go: the registered URI, byte for byte.

use serde_json::json;

use crate::both;
use crate::support::query::{value, with};
use crate::support::world::{On, World};

both!(a_near_miss_is_a_page_and_goes_nowhere, near_misses);
async fn near_misses(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let url = app.begin(&[]).await.url;
    let (own, port) = (app.redirect_uri(), app.address().port());

    for near in [
        format!("{own}/"),
        format!("{own}?"),
        format!("{own}#"),
        format!("{own}#x"),
        format!("{own}?a=b"),
        format!("{own} "),
        format!("{own}%20"),
        format!("{own}\0"),
        format!("{own}\r\nSet-Cookie: a=b"),
        format!("http://127.0.0.1:{port}/Callback"),
        format!("http://127.0.0.1:{port}/%63allback"),
        format!("http://127.0.0.1:{port}//callback"),
        format!("http://127.0.0.1:{port}/./callback"),
        format!("http://127.0.0.1:{port}/x/../callback"),
        format!("http://127.0.0.1:{port}/callback/evil"),
        format!("http://127.0.0.1:{port}@evil.test/callback"),
        format!("http://127.0.0.1:{port}.evil.test/callback"),
        format!("http://a@127.0.0.1:{port}/callback"),
        format!("HTTP://127.0.0.1:{port}/callback"),
        format!("https://127.0.0.1:{port}/callback"),
        format!("http://localhost:{port}/callback"),
        "http://127.0.0.1:51234/callback".into(),
        "http://127.0.0.1/callback".into(),
        format!("//127.0.0.1:{port}/callback"),
        "/callback".into(),
        "https://evil.test/callback".into(),
        "//evil.test".into(),
        "https:evil.test".into(),
        "\\\\evil.test".into(),
        "javascript:alert(1)".into(),
        "data:text/html,x".into(),
    ] {
        let page = browser.get(with(&url, "redirect_uri", &near).as_str()).await;
        assert_eq!(page.status, 400, "{near:?}: {}", page.summary());
        assert_eq!(page.header("location"), None, "{near:?}");
        assert_eq!(page.refresh(), None, "{near:?}");
        assert!(!page.body.contains("evil"), "{near:?}");
    }
    let exact = browser.get(with(&url, "redirect_uri", &own).as_str()).await;
    assert!(exact.location().unwrap().as_str().starts_with(&own));
}

both!(only_a_native_app_may_vary_the_port_of_a_loopback_address, native);
async fn native(on: On) {
    let world = World::on(on).await;
    let web = world.app("web-app").await;
    let native = json!({"public": true, "backchannel_logout_uri": null,
        "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"]});
    let native = world.app_with("native-app", native).await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &web, "ada").await;
    let url = native.begin(&[]).await.url;

    let wanted = "http://127.0.0.1:51234/callback";
    let page = browser.get(with(&url, "redirect_uri", wanted).as_str()).await;
    let location = page.location().unwrap();
    assert!(location.as_str().starts_with("http://127.0.0.1:51234/callback?code="), "{location}");

    for other in [
        "http://127.0.0.1:51234/other",
        "http://localhost:51234/callback",
        "http://127.0.0.2:51234/callback",
        "https://127.0.0.1:51234/callback",
        "http://127.0.0.1:51234@evil.test/callback",
    ] {
        let page = browser.get(with(&url, "redirect_uri", other).as_str()).await;
        assert_eq!((page.status, page.location()), (400, None), "{other}");
    }
    let url = web.begin(&[]).await.url;
    let page = browser.get(with(&url, "redirect_uri", wanted).as_str()).await;
    assert_eq!((page.status, page.location()), (400, None), "a web app's port is fixed");
}

both!(a_query_of_its_own_is_kept, own_query);
async fn own_query(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let registered = "https://other.test/cb?foo=bar&x=%2F";
    let other = world.app_with("other-app", json!({"redirect_uris": [registered]})).await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let url = with(&other.begin(&[]).await.url, "redirect_uri", registered);

    let success = browser.get(url.as_str()).await.location().unwrap();
    assert!(success.as_str().starts_with(&format!("{registered}&code=")), "{success}");
    assert_eq!(value(&success, "foo").as_deref(), Some("bar"));
    let error = browser.get(with(&url, "scope", "email").as_str()).await.location().unwrap();
    assert!(error.as_str().starts_with(&format!("{registered}&error=")), "{error}");
}

both!(what_could_never_be_compared_cannot_be_registered, registration);
async fn registration(on: On) {
    let world = World::on(on).await;
    for (number, (uri, status)) in [
        ("https://app.test/cb#x", 400),
        ("http://app.test/cb", 400),
        ("javascript:alert(1)", 400),
        ("https://a:b@app.test/cb", 400),
        ("/cb", 400),
        ("https://app.test/cb", 201),
    ]
    .into_iter()
    .enumerate()
    {
        let wanted = json!({"id": format!("app-{number}"), "redirect_uris": [uri]});
        let answer = world.add_client(wanted).await;
        assert!(
            answer.status == status || (status == 400 && answer.status == 422),
            "{uri}: {}",
            answer.body
        );
    }
}
