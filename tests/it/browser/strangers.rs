//! Another site tries to sign somebody out, or to put our pages under a mouse.

use sloop::paths;

use super::{Sites, is_signed_in, sign_in};
use crate::both;
use crate::support::world::On;

both!(a_page_of_another_site_ends_nothing, ends_nothing);
async fn ends_nothing(on: On) {
    let sites = Sites::on(on).await;
    let app = sites.app("one").await;
    let chromium = sites.chromium().await;
    sign_in(&chromium, &sites, &app, "ada").await;
    let addresses = [paths::SAML_LOGOUT, paths::V2_LOGOUT, paths::END_SESSION];
    for address in addresses.map(|path| sites.world.url(path)) {
        // The window is at the app: a stranger to us, who may put anything on its page.
        for tag in ["img", "iframe", "script", "embed"] {
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
        let fetched = format!(
            "return fetch('{address}', {{mode: 'no-cors', credentials: 'include'}})
                 .then(() => 'sent', () => 'refused')"
        );
        chromium.run(&fetched).await;
    }
    assert_eq!(sites.world.logout_count().await, 0);
    assert!(is_signed_in(&chromium, &app).await);
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
