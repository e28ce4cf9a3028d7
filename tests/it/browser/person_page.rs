//! A person opens `/logout` and chooses, by keyboard.

use sloop::mock_idp::{Options, Slo};
use sloop::paths;

use super::{Sites, is_signed_in, sign_in};
use crate::both;
use crate::support::world::{On, Setting};

/// What a person types to tick or untick the box that has the focus.
const SPACE: &str = " ";

both!(a_person_unticks_by_keyboard_and_signs_out_of_the_rest, by_keyboard);
async fn by_keyboard(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let sites = Sites::begin(Setting::on(on).idp(idp)).await;
    let (one, two) = (sites.app("one").await, sites.app("two").await);
    let chromium = sites.chromium().await;
    let own_page = sites.world.url(paths::SAML_LOGOUT);
    sign_in(&chromium, &sites, &one, "ada").await;
    sign_in(&chromium, &sites, &two, "ada").await;

    // One app alone: the session lives on, and the other app in it.
    chromium.open(&own_page).await;
    chromium.fill("app", SPACE).await;
    chromium.fill("idp", SPACE).await;
    chromium.press("Sign out of what is ticked").await;
    chromium.arrives(&sites.world.url(paths::LOGOUT_PAGE)).await;
    let text = chromium.text().await;
    assert!(text.contains("You are still signed in here"), "{text}");
    assert_eq!(sites.world.newest_logout().await.left, ["app one", "IdP corp"]);
    assert!(is_signed_in(&chromium, &one).await);

    // All but that app: the IdP is asked by a form, on its own site, and comes back by one.
    sign_in(&chromium, &sites, &two, "nobody is asked").await;
    chromium.open(&own_page).await;
    chromium.fill("app", SPACE).await;
    chromium.press("Sign out of what is ticked").await;
    chromium.arrives(&sites.world.url(paths::LOGOUT_PAGE)).await;
    let text = chromium.text().await;
    assert!(text.contains("You are signed out here"), "{text}");
    assert_eq!(sites.world.outcomes().await, ["app two: confirmed", "IdP corp: confirmed"]);
    assert_eq!(sites.world.newest_logout().await.left, ["app one"]);
    assert_eq!((one.logouts().await.unwrap().len(), two.logouts().await.unwrap().len()), (0, 2));
    assert_eq!(sites.world.idp.sessions(), []);
    assert!(!is_signed_in(&chromium, &one).await && !is_signed_in(&chromium, &two).await);
    assert_eq!(chromium.violations().await, Vec::<String>::new());
}
