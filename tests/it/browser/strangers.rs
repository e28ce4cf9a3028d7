//! Another site tries to sign somebody out, or to put our pages under a mouse.

use sloop::paths;

use super::{Sites, is_signed_in, sign_in};
use crate::both;
use crate::support::chromium::{Chromium, ThirdPartyCookies};
use crate::support::world::On;

/// Puts one of these on the page of the window, and waits until it has loaded or failed.
async fn embeds(chromium: &Chromium, tag: &str, address: &str) {
    let script = format!(
        "const asked = document.createElement('{tag}');
         window.asked = new Promise(done => asked.onload = asked.onerror = done);
         asked.src = '{address}';
         document.body.append(asked);"
    );
    chromium.run(&script).await;
    chromium
        .run("return Promise.race([window.asked, new Promise(r => setTimeout(r, 2000))])")
        .await;
}

// With third-party cookies allowed: where a browser blocks them nothing of this brings a session.
both!(a_page_of_another_site_ends_nothing, ends_nothing);
async fn ends_nothing(on: On) {
    let sites = Sites::on(on).await;
    let app = sites.app("one").await;
    let chromium = Chromium::start(sites.front.address, ThirdPartyCookies::Allowed).await;
    sign_in(&chromium, &sites, &app, "ada").await;
    let [own_page, at_once, asking] =
        [paths::SAML_LOGOUT, paths::V2_LOGOUT, paths::END_SESSION].map(|it| sites.world.url(it));
    for address in [&own_page, &at_once, &asking] {
        // The window is at the app: a stranger to us, who may put anything on its page.
        for tag in ["img", "iframe", "script", "embed"] {
            embeds(&chromium, tag, address).await;
        }
        let fetched = format!(
            "return fetch('{address}', {{mode: 'no-cors', credentials: 'include'}})
                 .then(() => 'sent', () => 'refused')"
        );
        chromium.run(&fetched).await;
    }
    assert_eq!(sites.world.logout_count().await, 0);
    assert!(is_signed_in(&chromium, &app).await);

    // It may also take the whole window there, by a link or a form: then the person is asked.
    let form = format!(
        "const form = document.createElement('form');
         form.method = 'post';
         form.action = '{asking}';
         document.body.append(form);
         form.submit();"
    );
    for (script, question) in [
        (format!("location.href = '{own_page}'"), "What do you want to sign out of?"),
        (format!("location.href = '{asking}'"), "Do you want to sign out?"),
        (form, "Do you want to sign out?"),
    ] {
        chromium.run(&script).await;
        chromium.text_once(|text| text.contains(question)).await;
        assert_eq!(sites.world.logout_count().await, 0, "{script}");
        assert!(is_signed_in(&chromium, &app).await, "{script}");
    }

    // What asks nothing is for a link only (design 5.5), and there the session came along.
    chromium.run(&format!("location.href = '{at_once}'")).await;
    chromium
        .text_once(|text| text.contains("You are signed out of the apps of this session"))
        .await;
    assert_eq!(sites.world.logout_count().await, 1);
    assert!(!is_signed_in(&chromium, &app).await);
}

both!(our_question_cannot_be_framed, framed);
async fn framed(on: On) {
    let sites = Sites::on(on).await;
    let app = sites.app("one").await;
    let chromium = sites.chromium().await;
    sign_in(&chromium, &sites, &app, "ada").await;
    let script = format!(
        "const frame = document.createElement('iframe');
         window.shown = new Promise(done => frame.onload = done);
         frame.src = '{}?client_id=one';
         document.body.append(frame);",
        sites.world.url(paths::END_SESSION)
    );
    chromium.run(&script).await;
    chromium.run("return window.shown").await;
    let said = chromium.violations().await;
    assert!(said.iter().any(|line| line.contains("frame-ancestors")), "{said:?}");
    assert_eq!(sites.world.logout_count().await, 0);
    assert!(is_signed_in(&chromium, &app).await);
}
