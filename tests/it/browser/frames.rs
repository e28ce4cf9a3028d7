//! Apps that are told by a frame: what a browser that blocks third-party cookies makes of it, and one
//! that does not.

use std::time::{Duration, Instant};

use sloop::paths;
use sloop::use_cases::FRAMES_WAIT;

use super::{Sites, is_signed_in, sign_in};
use crate::both;
use crate::support::chromium::{Chromium, ThirdPartyCookies};
use crate::support::rp::RelyingParty;
use crate::support::simplesamlphp::{LogoutType, Options, SimpleSamlPhp};
use crate::support::world::On;

/// The app keeps its session in a cookie that may be sent from frames.
const APP_COOKIE: &str = "document.cookie = 'app=signed-in; Path=/; Secure; SameSite=None'";

impl Sites {
    /// As [`Sites::app`], told by a frame only.
    async fn framed_app(&self, id: &str) -> RelyingParty {
        let origin = format!("https://{id}.example");
        let app = self.world.unregistered(id).await.with_origin(&origin);
        let uri = app.frontchannel_logout_uri();
        let app = self.world.register_framed(app, &uri).await;
        self.front.serve(&origin, app.address());
        app
    }
}

both!(an_app_in_a_frame_is_told_and_nobody_claims_that_it_listened, told);
async fn told(on: On) {
    let sites = Sites::on(on).await;
    let (one, framed) = (sites.app("one").await, sites.framed_app("framed").await);
    for cookies in [ThirdPartyCookies::Blocked, ThirdPartyCookies::Allowed] {
        let chromium = Chromium::start(sites.front.address, cookies).await;
        let tokens = sign_in(&chromium, &sites, &one, "ada").await;
        sign_in(&chromium, &sites, &framed, "ada").await;
        chromium.run(APP_COOKIE).await;

        let url = one.logout_url(&[("id_token_hint", &tokens.id_token)]).await;
        chromium.open(url.as_str()).await;
        let end = chromium.text_once(|text| text.contains("Reference:")).await;

        let frame = framed.loaded_frames().pop().expect("its frame was loaded");
        assert_eq!(frame.has_cookie, cookies == ThirdPartyCookies::Allowed, "{cookies:?}");
        // Nothing comes back from a frame, so the page promises nothing, whatever the browser did.
        assert!(end.contains("It was told through your browser"), "{end}");
        assert!(!end.contains("This session has ended everywhere"), "{end}");
        let outcomes = ["app one: confirmed", "app framed: unconfirmed", "IdP corp: confirmed"];
        assert_eq!(sites.world.outcomes().await, outcomes);
        assert_eq!(chromium.violations().await, Vec::<String>::new());
        assert!(!is_signed_in(&chromium, &one).await && !is_signed_in(&chromium, &framed).await);
    }
    assert_eq!(one.logouts().await.unwrap().len(), 2);
    assert_eq!(framed.loaded_frames().len(), 2);
}

both!(slow_frames_are_waited_for_and_hanging_ones_have_their_time, slow);
async fn slow(on: On) {
    let sites = Sites::on(on).await;
    let (one, framed) = (sites.app("one").await, sites.framed_app("framed").await);
    let chromium = sites.chromium().await;
    let (slow, limit) = (Duration::from_millis(1500), FRAMES_WAIT);
    for (takes, loaded, at_least, at_most) in
        [(Some(slow), 1, slow, limit), (None, 0, limit, limit.saturating_mul(3))]
    {
        framed.load_frames_in(takes);
        let before = framed.loaded_frames().len();
        let tokens = sign_in(&chromium, &sites, &one, "ada").await;
        sign_in(&chromium, &sites, &framed, "ada").await;
        let home = one.post_logout_redirect_uri();
        let fields = [("id_token_hint", &*tokens.id_token), ("post_logout_redirect_uri", &*home)];
        let url = one.logout_url(&fields).await;
        let begun = Instant::now();
        // By script, so that nobody waits for the page before it is left.
        chromium.run(&format!("location.href = '{url}'")).await;
        chromium.arrives(&home).await;
        let took = begun.elapsed();

        assert!((at_least..at_most).contains(&took), "{takes:?}: {took:?}");
        assert_eq!(framed.loaded_frames().len(), before + loaded, "{takes:?}");
        let outcomes = ["app one: confirmed", "app framed: unconfirmed", "IdP corp: confirmed"];
        assert_eq!(sites.world.outcomes().await, outcomes);
        assert!(!is_signed_in(&chromium, &one).await && !is_signed_in(&chromium, &framed).await);
    }
}

both!(an_idp_may_have_our_answer_in_a_frame_and_nobody_else, idp_frame);
async fn idp_frame(on: On) {
    let sites = Sites::on(on).await;
    let (one, framed) = (sites.app("one").await, sites.framed_app("framed").await);
    let chromium = sites.chromium().await;
    sign_in(&chromium, &sites, &one, "ada").await;
    sign_in(&chromium, &sites, &framed, "ada").await;

    // The IdP's own page loads its LogoutRequest, our frames and our answer in a frame.
    chromium.open(&sites.world.idp_url).await;
    chromium.tick("fault", "iframe-logout").await;
    chromium.press("Sign out everywhere").await;

    let settled = async || sites.world.logout_count().await == 1;
    crate::logout::eventually("the logout", settled).await;
    let loaded = async || framed.loaded_frames().len() == 1;
    crate::logout::eventually("the app's frame in our frame", loaded).await;
    let answered = async || format!("{:?}", sites.world.idp.journal()).contains("LogoutResponse");
    crate::logout::eventually("the answer", answered).await;
    let outcomes = ["app one: confirmed", "app framed: unconfirmed", "IdP corp: confirmed"];
    assert_eq!(sites.world.outcomes().await, outcomes);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
    assert!(!is_signed_in(&chromium, &one).await);

    // A stranger's page gets the same address, and may not show what is there.
    let page = sites.world.url(paths::LOGOUT_PAGE);
    sign_in(&chromium, &sites, &one, "ada").await;
    let script = format!(
        "const frame = document.createElement('iframe');
         window.shown = new Promise(done => frame.onload = done);
         frame.src = '{page}/nothing';
         document.body.append(frame);"
    );
    chromium.run(&script).await;
    chromium.run("return window.shown").await;
    let said = chromium.violations().await;
    assert!(said.iter().any(|line| line.contains("frame-ancestors")), "{said:?}");
}

both!(simplesamlphps_own_page_of_frames_reaches_us_and_our_apps, real_page);
async fn real_page(on: On) {
    let base_url = "https://ssp.example";
    let options =
        Options { base_url: Some(base_url), logout_type: LogoutType::Frames, ..Options::default() };
    let (sites, idp) = tokio::join!(Sites::on(on), SimpleSamlPhp::start(options));
    sites.front.serve(base_url, idp.address());
    idp.trust(&sites.world.get(paths::SAML_METADATA).await.body);
    sites.world.connect_by(&idp.metadata().await, "").await;
    let (one, framed) = (sites.app("one").await, sites.framed_app("framed").await);
    let chromium = sites.chromium().await;
    let attempt = one.begin(&[]).await;
    chromium.open(attempt.url.as_str()).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", "secret").await;
    chromium.press("Login").await;
    let callback = chromium.arrives(&one.redirect_uri()).await;
    one.finish(&attempt, &callback).await.unwrap();
    sign_in(&chromium, &sites, &framed, "nobody is asked").await;
    assert!(is_signed_in(&chromium, &one).await);

    let (logout, its_end) = idp.logout_url();
    chromium.open(&logout).await;
    chromium.press("Yes, all services").await;

    // Its own script saw that we were done, and went on: our pages showed, and no cookie was needed.
    chromium.arrives(&its_end).await;
    assert_eq!(framed.loaded_frames().len(), 1);
    assert_eq!(sites.world.settled().await.outcome.as_str(), "partial");
    let outcomes = ["app one: confirmed", "app framed: unconfirmed", "IdP corp: confirmed"];
    assert_eq!(sites.world.outcomes().await, outcomes);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
    assert!(!is_signed_in(&chromium, &one).await);
    chromium.open(one.begin(&[]).await.url.as_str()).await;
    chromium.text_once(|text| text.contains("Enter your username and password")).await;
}
